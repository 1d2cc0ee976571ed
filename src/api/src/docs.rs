//! The contract, generated from the handlers: `/openapi.json` (OpenAPI 3.1), and the same as pages that need no script and
//! nothing from elsewhere.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::Value;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::app::App;
use crate::problem::CODES;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "blotter",
        description = "The incident ledger that can prove what happened. Statements in, receipts and proofs out.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    paths(crate::proofs::tile),
    tags(
        (name = "statements", description = "What happened goes in"),
        (name = "entries", description = "What happened comes out"),
        (name = "metrics", description = "What it adds up to"),
        (name = "proofs", description = "What others need to verify it"),
        (name = "session", description = "Who calls"),
        (name = "operation", description = "For whoever runs the server"),
    ),
    modifiers(&Bearer),
)]
struct Contract;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A token (blt_…) or a session (bls_…)"));
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme.build()));
    }
}

/// The contract as OpenAPI 3.1, in JSON.
pub fn openapi() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let (_, routes) = crate::router::routes().split_for_parts();
        let mut openapi = Contract::openapi();
        openapi.merge(routes);
        openapi.to_pretty_json().expect("the contract is JSON")
    });
    &TEXT
}

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/openapi.json", get(|| async { with_type("application/json", openapi().to_owned()) }))
        .route("/docs", get(|| async { page("blotter: the API", &operations()) }))
        .route("/problems", get(|| async { page("blotter: problems", &problems()) }))
        .route("/", get(|| async { axum::response::Redirect::to("/docs") }))
}

fn with_type(media_type: &'static str, body: String) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(media_type))], body).into_response()
}

const STYLE: &str = "\
:root{color-scheme:light dark;--dim:light-dark(#666,#999);--line:light-dark(#ddd,#333);--mark:light-dark(#0b57d0,#8ab4f8)}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.5rem}h3{font:600 1rem ui-monospace,monospace;margin:2rem 0 .25rem;overflow-wrap:anywhere}
a{color:var(--mark)}code{font-family:ui-monospace,monospace;overflow-wrap:anywhere}p{margin:.3rem 0}
table{border-collapse:collapse;width:100%;margin:.5rem 0}td,th{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid var(--line)}
th{color:var(--dim);font-weight:400}td:first-child code{white-space:nowrap}@media(max-width:40rem){tr,td,th{display:block}tr{border-bottom:1px solid var(--line);padding:.35rem 0}td,th{border:0;padding:0}}
.method{display:inline-block;min-width:4.5rem;color:var(--mark)}nav a{margin-right:1rem}";

fn page(title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>{title}</title>\
         <style>{STYLE}</style><nav><a href=/docs>API</a><a href=/problems>Problems</a><a href=/openapi.json>OpenAPI 3.1</a></nav>\
         <h1>{title}</h1>{body}</html>"
    );
    let policy = HeaderValue::from_static(
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    );
    (
        [
            (header::CONTENT_SECURITY_POLICY, policy),
            (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        ],
        html,
    )
        .into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Descriptions are in Markdown; of that, only `code` and paragraphs are used.
fn prose(text: &str) -> String {
    let mut html = String::new();
    for paragraph in text.split("\n\n") {
        let mut parts = escaped(paragraph);
        while let Some((before, rest)) = parts.split_once('`') {
            let Some((code, after)) = rest.split_once('`') else { break };
            parts = format!("{before}<code>{code}</code>{after}");
        }
        let _ = write!(html, "<p>{parts}</p>");
    }
    html
}

fn problems() -> String {
    let mut html = "<p>Every refusal is <code>application/problem+json</code> (RFC 9457). The code is stable; the words are not.</p><table><tr><th>code<th>status<th>meaning".to_owned();
    for (code, status, title) in CODES {
        let _ = write!(html, "<tr id={code}><td><code>{code}</code><td>{status}<td>{title}");
    }
    html + "</table>"
}

fn operations() -> String {
    let contract: Value = serde_json::from_str(openapi()).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut html = prose(&text(&contract["info"]["description"]));
    for tag in contract["tags"].as_array().into_iter().flatten() {
        let _ = write!(html, "<h2>{}</h2>", escaped(&text(&tag["description"])));
        for (path, methods) in contract["paths"].as_object().into_iter().flatten() {
            for (method, operation) in methods.as_object().into_iter().flatten() {
                if operation["tags"][0] == tag["name"] {
                    operation_html(&mut html, path, method, operation);
                }
            }
        }
    }
    html
}

fn operation_html(html: &mut String, path: &str, method: &str, operation: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let _ = write!(
        html,
        "<h3><span class=method>{}</span>{}</h3><p>{}</p>{}",
        method.to_uppercase(),
        escaped(path),
        escaped(&text(&operation["summary"])),
        prose(&text(&operation["description"]))
    );
    html.push_str("<table>");
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let needed = if parameter["required"] == true { ", needed" } else { "" };
        let _ = write!(
            html,
            "<tr><td><code>{}</code><td>{}{needed}<td>{}",
            escaped(&text(&parameter["name"])),
            text(&parameter["in"]),
            prose(&text(&parameter["description"]))
        );
    }
    for (media_type, _) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
        let _ = write!(html, "<tr><td>body<td colspan=2><code>{media_type}</code>");
    }
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let types: Vec<_> = response["content"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| format!("<code>{name}</code>"))
            .collect();
        let _ = write!(html, "<tr><td>{status}<td>{}<td>{}", types.join(" "), escaped(&text(&response["description"])));
    }
    html.push_str("</table>");
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use blotter_record::{ActorId, Id, Jti};
    use proptest::strategy::{Strategy, ValueTree};
    use proptest::string::string_regex;
    use proptest::test_runner::TestRunner;

    use super::*;

    /// Every pattern in a part of the contract, with the name that it stands under.
    fn patterns(value: &Value, name: &str, found: &mut Vec<(String, String)>) {
        if let Some(pattern) = value.get("pattern").and_then(Value::as_str) {
            found.push((name.to_owned(), pattern.to_owned()));
        }
        let own = value.get("name").and_then(Value::as_str);
        match value {
            Value::Object(members) => members.iter().for_each(|(member, value)| {
                let name = if member == "schema" { own.unwrap_or(name) } else { member };
                patterns(value, name, found);
            }),
            Value::Array(items) => items.iter().for_each(|item| patterns(item, name, found)),
            _ => {}
        }
    }

    /// The judge is the type that reads it.
    #[test]
    fn what_matches_a_pattern_of_the_contract_is_what_its_name_says() {
        let mut found = Vec::new();
        patterns(&serde_json::from_str(openapi()).unwrap(), "", &mut found);
        let mut runner = TestRunner::deterministic();
        for (name, pattern) in &found {
            let parses = |text: &str| match name.as_str() {
                "jti" => text.parse::<Jti>().is_ok(),
                "actor" => text.parse::<ActorId>().is_ok(),
                "kind" => text.parse::<Id>().is_ok(),
                "name" => format!("incident/{text}").parse::<Id>().is_ok(),
                // A filter may be the beginning of all of a kind.
                "stream" => text.trim_end_matches('/').parse::<Id>().is_ok(),
                "sub" => text.parse::<Id>().is_ok(),
                other => panic!("{other} has a pattern, and no judge here"),
            };
            let inner = pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix('$')).unwrap();
            for _ in 0..200 {
                let text = string_regex(inner).unwrap().new_tree(&mut runner).unwrap().current();
                assert!(parses(&text), "{name}: {text:?} matches {pattern}");
            }
        }
        let count = |name: &str| found.iter().filter(|(other, _)| other == name).count();
        let counts = ["jti", "actor", "stream", "kind", "name", "sub"].map(count);
        assert_eq!(counts, [2, 1, 1, 2, 2, 1], "{found:?}");
    }
}
