//! The specification's own words: which members an object of each type has, and the open vocabularies. They stand as
//! texts with blanks between.

/// Whether `word` is one of `words`.
pub(super) fn has(words: &str, word: &str) -> bool {
    words.split(' ').any(|other| other == word)
}

/// Members of a playbook.
pub(super) const PLAYBOOK: &str = "type spec_version id name description playbook_types playbook_activities playbook_processing_summary \
     created_by created modified revoked valid_from valid_until derived_from related_to priority severity \
     impact industry_sectors labels external_references markings playbook_variables workflow_start \
     workflow_exception workflow playbook_extensions authentication_info_definitions agent_definitions \
     target_definitions extension_definitions data_marking_definitions signatures";

/// Members of every step.
pub(super) const STEP: &str = "type name description external_references delay timeout step_variables owner on_completion on_success \
     on_failure step_extensions";

/// Members of every command.
pub(super) const COMMAND: &str = "type description version playbook_activity external_references";

/// Members of a variable.
pub(super) const VARIABLE: &str = "type description value constant external";

/// Types of variables.
pub(super) const VARIABLE_TYPES: &str = "bool dictionary float hexstring integer ipv4-addr ipv6-addr long mac-addr hash md5-hash sha256-hash string \
     uri uuid";

/// What playbooks are for.
pub(super) const PLAYBOOK_TYPES: &str =
    "attack detection engagement investigation mitigation notification prevention remediation";

/// Members of every agent and target.
pub(super) const PARTY: &str = "type name description location agent_target_extensions";

/// Members of all authentication information.
pub(super) const AUTHENTICATION: &str = "type name description authentication_info_extensions";

/// Members of an extension's definition.
pub(super) const EXTENSION: &str = "type name description created_by schema version external_references";

/// What a command of a type needs: one of the first members; and the others that it may have. `None` if the specification
/// does not have that type.
pub(super) fn command_rule(kind: &str) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        "manual" | "bash" | "caldera-cmd" | "powershell" | "ssh" => ("command command_b64", ""),
        "elastic" | "jupyter" | "kestrel" | "sigma" | "yara" => ("command_b64", ""),
        "http-api" | "openc2-http" => ("command", "headers content content_b64"),
        _ => return None,
    })
}

/// What an agent or target of a type needs, and all that it may have; `None` if the specification does not have that type.
pub(super) fn party_rule(kind: &str) -> Option<(Option<&'static str>, &'static str)> {
    Some(match kind {
        "group" | "individual" | "organization" => (None, "contact"),
        "location" => (None, "logical"),
        "sector" => (Some("sector"), "sector"),
        "security-category" => (Some("category"), "category"),
        "net-address" => (Some("address"), "address authentication_info category"),
        "http-api" | "linux" | "ssh" => (Some("address"), "address port authentication_info category"),
        _ => return None,
    })
}

/// The members of authentication information of a type; `None` if the specification does not have that type.
pub(super) fn authentication_members(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "http-basic" => "user_id password kms kms_key_identifier",
        "oauth2" => "oauth_header token kms kms_key_identifier",
        "user-auth" => "username password kms kms_key_identifier",
        _ => return None,
    })
}
