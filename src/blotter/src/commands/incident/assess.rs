//! `blotter incident assess`: an analyst's whole assessment, and the phase change that follows, signed at once.

use anyhow::{Result, bail};
use blotter_process::Phase;
use blotter_record::{Id, Json, Jti};
use clap::Args;
use serde_json::json;

use super::incident_id;
use super::transition::{Asked, transition_words};
use crate::context::{Context, new_jti};
use crate::session::Words;
use crate::voice::{Voice, tell};

/// Assess an incident in one go, and move it on
///
/// Signs, as one list that enters as a whole or not at all: the threat intelligence that was considered, the severity, the
/// verdict, and with --move the phase that follows: execute for a confirmed one, close for one that is none.
///
/// Example: blotter incident assess INC-7 --intel none-found --severity 3 --scale city-1-4/3 --verdict true-positive --move
#[derive(Debug, Args)]
pub(crate) struct Assess {
    /// The incident, such as INC-7
    #[arg(value_name = "INCIDENT", value_parser = incident_id)]
    incident: Id,

    /// The threat intelligence considered: none-found, indicator, actor, campaign or report
    #[arg(long, value_name = "KIND", value_parser = ["none-found", "indicator", "actor", "campaign", "report"])]
    intel: Option<String>,

    /// The intelligence in words
    #[arg(long, value_name = "TEXT", requires = "intel")]
    intel_summary: Option<String>,

    /// The severity's level on the scale
    #[arg(long, value_name = "LEVEL", requires = "scale")]
    severity: Option<i64>,

    /// The scale of your organisation and its version, such as city-1-4/3
    #[arg(long, value_name = "SCALE/VERSION", env = "BLOTTER_SCALE")]
    scale: Option<String>,

    /// Impact, on the same scale; without it, the level
    #[arg(long, value_name = "LEVEL")]
    impact: Option<i64>,

    /// Scope, on the same scale; without it, the level
    #[arg(long, value_name = "LEVEL")]
    scope: Option<i64>,

    /// Urgency, on the same scale; without it, the level
    #[arg(long, value_name = "LEVEL")]
    urgency: Option<i64>,

    /// true-positive, false-positive, benign, policy-violation or undetermined
    #[arg(long, value_name = "VERDICT", value_parser = ["true-positive", "false-positive", "benign", "policy-violation", "undetermined"])]
    verdict: Option<String>,

    /// The version of your criteria
    #[arg(long, value_name = "VERSION", env = "BLOTTER_CRITERIA", default_value = "1")]
    criteria_version: String,

    /// A criterion that was met; may be repeated
    #[arg(long, value_name = "CODE")]
    criterion: Vec<String>,

    /// Why, in words
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Then move it into the phase that the verdict leads to
    #[arg(long = "move", requires = "verdict")]
    move_on: bool,
}

pub(super) fn run(context: &Context, args: &Assess) -> Result<()> {
    let voice = Voice::open(context)?;
    let mut ahead = ahead(args)?;
    if ahead.is_empty() {
        bail!("nothing to assess: say --intel, --severity or --verdict");
    }
    if args.move_on {
        let confirmed = matches!(args.verdict.as_deref(), Some("true-positive" | "policy-violation"));
        let to = if confirmed { Phase::Execute } else { Phase::Close };
        let asked = Asked { to, trigger: None, outputs: &[], overrides: false };
        let words = transition_words(&voice.reader, &args.incident, &asked, args.reason.as_deref(), &ahead)?;
        ahead.push((words, new_jti()));
    }
    let words: Vec<Words> = ahead.into_iter().map(|(words, jti)| Words { jti: Some(jti), ..words }).collect();
    let said = voice.say(context, &words, None)?;
    tell(context, &said, json!({ "incident": args.incident.as_str() }), None);
    Ok(())
}

/// What is said before the transition, each under an id that the transition can name.
fn ahead(args: &Assess) -> Result<Vec<(Words, Jti)>> {
    let mut ahead: Vec<(Words, Jti)> = Vec::new();
    let words = |event: &str| Words::now(event, args.incident.clone());
    let with_reason = |words: Words| match &args.reason {
        Some(reason) => words.data("reason", reason.as_str()),
        None => words,
    };
    if let Some(kind) = &args.intel {
        let mut intel = words("intel.attached").fact("kind", kind.as_str()).fact("tlp", "amber");
        if let Some(summary) = &args.intel_summary {
            intel = intel.data("summary", summary.as_str());
        }
        ahead.push((intel, new_jti()));
    }
    if let Some(level) = args.severity {
        let scale = args.scale.as_deref().unwrap_or_default();
        let Some((scale, version)) = scale.rsplit_once('/') else {
            bail!("--scale {scale}: the scale and its version are wanted, such as city-1-4/3");
        };
        let intel = ahead.iter().map(|(_, jti)| jti.to_string().into()).collect();
        let severity = words("severity.assessed")
            .fact("scale", scale)
            .fact("scale_version", version)
            .fact("level", level)
            .fact("impact", args.impact.unwrap_or(level))
            .fact("scope", args.scope.unwrap_or(level))
            .fact("urgency", args.urgency.unwrap_or(level))
            .fact("intel", Json::List(intel));
        ahead.push((with_reason(severity), new_jti()));
    }
    if let Some(verdict) = &args.verdict {
        let criteria = args.criterion.iter().map(|code| code.as_str().into()).collect();
        let confirmed = words("incident.confirmed")
            .fact("verdict", verdict.as_str())
            .fact("criteria_version", args.criteria_version.as_str())
            .fact("criteria", Json::List(criteria));
        ahead.push((with_reason(confirmed), new_jti()));
    }
    Ok(ahead)
}
