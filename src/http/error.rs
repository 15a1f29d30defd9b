//! The one place where failures become HTTP: a stable code, a status, what is wrong and how to mend it.
//! In: refusals of the door and [`TurnError`]. Out: RFC 9457 problem+json, or the OpenAI shape below `/v1`.
//! The cause of an internal failure goes to the log, never over the wire.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::turn::TurnError;

macro_rules! codes {
    ($($variant:ident = $name:literal, $status:ident: $title:literal, $fix:literal;)*) => {
        /// A stable name of a failure. Clients may branch on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Code {
            $(#[doc = $title] $variant,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$variant,)*];

            /// The name over the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }

            /// The HTTP status.
            pub fn status(self) -> StatusCode {
                match self { $(Code::$variant => StatusCode::$status,)* }
            }

            /// What it means.
            pub fn title(self) -> &'static str {
                match self { $(Code::$variant => $title,)* }
            }

            /// How the client mends it.
            pub fn fix(self) -> &'static str {
                match self { $(Code::$variant => $fix,)* }
            }
        }
    };
}

codes! {
    InvalidUtf8 = "invalid_utf8", BAD_REQUEST: "The body is not UTF-8", "Encode the body as UTF-8.";
    InvalidJson = "invalid_json", BAD_REQUEST: "The body is not JSON", "Send one JSON object; the detail names line and column.";
    BodyIncomplete = "body_incomplete", BAD_REQUEST: "The body ended early", "Send as many bytes as Content-Length says.";
    BodyTimeout = "body_timeout", REQUEST_TIMEOUT: "The body came too slowly", "Send the whole body at once.";
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE: "The body is too large", "Shorten it, or raise server.body_bytes.";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE: "The body is of another type", "Send Content-Type: application/json; a photo as JPEG, PNG or WebP.";
    UnknownField = "unknown_field", UNPROCESSABLE_ENTITY: "A field is not known", "Remove the field; /docs lists the known ones.";
    MissingField = "missing_field", UNPROCESSABLE_ENTITY: "A field is missing", "Add the field; /docs describes it.";
    InvalidField = "invalid_field", UNPROCESSABLE_ENTITY: "A field has a value that cannot be used", "Correct the value; /docs describes it.";
    UnsupportedField = "unsupported_field", BAD_REQUEST: "A field asks for something this model does not do", "Leave the field out or at its default.";
    MessageEmpty = "message_empty", UNPROCESSABLE_ENTITY: "The message is empty", "Write something into `message`.";
    MessageTooLong = "message_too_long", UNPROCESSABLE_ENTITY: "The message is too long", "Shorten it, or raise server.message_chars.";
    UnknownSession = "unknown_session", NOT_FOUND: "The conversation does not exist", "Leave session_id out to start a new one.";
    UnknownTask = "unknown_task", NOT_FOUND: "The task does not exist", "Propose it with POST /api/v1/tasks.";
    UnknownCheckout = "unknown_checkout", NOT_FOUND: "The checkout does not exist", "Propose it with POST /api/v1/checkout.";
    NoticeRefused = "notice_refused", BAD_REQUEST: "The notice is not believed", "Only the provider of payments.provider may say so, in its own way.";
    CarrierRefused = "carrier_refused", UNAUTHORIZED: "These events are not believed", "Prove them with webhook_secret of [carriers.NAME], as data/rules/carriers.toml says.";
    CarrierUnreadable = "carrier_unreadable", UNPROCESSABLE_ENTITY: "This is not what the carrier sends", "Compare it with the carrier's fields in data/rules/carriers.toml.";
    UnknownCase = "unknown_case", NOT_FOUND: "The case does not exist", "Take an id from GET /api/v1/handover.";
    CaseConflict = "case_conflict", CONFLICT: "The case cannot take this step now", "Read it again with GET /api/v1/handover/{id}.";
    UnknownOrder = "unknown_order", NOT_FOUND: "There is no such order of this customer", "Check the number and the phone or e-mail of the order.";
    UnknownReturn = "unknown_return", NOT_FOUND: "There is no such return, or it is not opened with this key", "Use the whole link that came with the return.";
    ReturnConflict = "return_conflict", CONFLICT: "The return cannot take this step now", "Read it again with GET /api/v1/returns/{id}.";
    PhotoNotWanted = "photo_not_wanted", CONFLICT: "No photo is waited for, or there are enough", "Send one when a reply carries the action attach_photo.";
    UnknownPhoto = "unknown_photo", NOT_FOUND: "There is no such photo", "Photos are deleted after photos.keep_days of data/rules/returns.toml.";
    CustomerNotTrusted = "customer_not_trusted", FORBIDDEN: "`customer` is not taken from this caller", "Leave it out, or call with an API key from the shop's own server.";
    Unauthorized = "unauthorized", UNAUTHORIZED: "A valid key is needed", "Send Authorization: Bearer KEY; `truetill keys create` makes one.";
    TokenNotAccepted = "token_not_accepted", UNAUTHORIZED: "No customer tokens are accepted here", "Leave it out, or set identity.token in the settings.";
    TokenMalformed = "token_malformed", UNAUTHORIZED: "The customer's token cannot be read", "Send a JWT in compact form with `sub` and `exp`.";
    TokenAlgorithm = "token_algorithm", UNAUTHORIZED: "The customer's token is signed with another algorithm", "Sign with the algorithm of identity.token.algorithm.";
    TokenKeyUnknown = "token_key_unknown", UNAUTHORIZED: "The customer's token is signed with an unknown key", "Put the key of that `kid` into identity.token.keys.";
    TokenSignature = "token_signature", UNAUTHORIZED: "The signature of the customer's token does not fit", "Sign with the key whose public half this shop has.";
    TokenExpired = "token_expired", UNAUTHORIZED: "The customer's token is over", "Get a fresh one from the shop's site.";
    TokenNotYetValid = "token_not_yet_valid", UNAUTHORIZED: "The customer's token is not valid yet", "Check `nbf` and the clocks of both servers.";
    TokenIssuer = "token_issuer", UNAUTHORIZED: "The customer's token is somebody else's", "Let `iss` be what identity.token.issuer says.";
    TokenAudience = "token_audience", UNAUTHORIZED: "The customer's token is meant for somebody else", "Let `aud` name what identity.token.audience says.";
    TokenSubject = "token_subject", UNAUTHORIZED: "The customer's token names no customer", "Let `sub` be the customer's id, 1 to 200 characters.";
    CodesOff = "codes_off", NOT_FOUND: "No codes are sent here", "Set identity.code.sender in the settings.";
    CodeTooSoon = "code_too_soon", TOO_MANY_REQUESTS: "A code was sent a moment ago", "Wait for the seconds of Retry-After.";
    CodeTooMany = "code_too_many", TOO_MANY_REQUESTS: "Too many codes were asked for", "Try again in an hour, or prove with order number and contact.";
    CodeWrong = "code_wrong", UNPROCESSABLE_ENTITY: "That is not the code", "Type the six digits of the last message again.";
    CodeOver = "code_over", GONE: "The code is worth nothing any more", "Ask for another with POST /api/v1/codes.";
    AdminOnly = "admin_only", FORBIDDEN: "An admin key is needed", "Send a key whose sha256 stands in server.admin_keys.";
    NotFound = "not_found", NOT_FOUND: "There is nothing at this address", "See /docs for what there is.";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED: "The address does not take this method", "See /docs for the method.";
    ModelNotFound = "model_not_found", NOT_FOUND: "There is no such model", "Use a model of GET /v1/models.";
    IdempotencyKeyInvalid = "idempotency_key_invalid", BAD_REQUEST: "The Idempotency-Key cannot be used", "Send 1 to 200 visible ASCII characters.";
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY: "The Idempotency-Key stands for another body", "Take a new key for a new request.";
    IdempotencyInFlight = "idempotency_in_flight", CONFLICT: "The first request with this Idempotency-Key is still running", "Wait for it, then ask again.";
    ConversationBusy = "conversation_busy", CONFLICT: "Other messages of this conversation are still being answered", "Try again after the seconds of Retry-After.";
    Busy = "busy", SERVICE_UNAVAILABLE: "Too many conversations at once", "Try again after the seconds of Retry-After.";
    TurnTimeout = "turn_timeout", GATEWAY_TIMEOUT: "No reply in time", "Offer the shopper a person; the message was not answered.";
    Internal = "internal", INTERNAL_SERVER_ERROR: "Something failed inside", "Quote request_id to the operator; the cause is in the log.";
}

/// A refusal on its way out. The passage at the door gives it a request id and a shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which.
    pub code: Code,
    /// What is wrong with this very request.
    pub detail: String,
    /// The field at fault.
    pub field: Option<String>,
    /// When to try again.
    pub retry_after_s: Option<u64>,
}

impl Problem {
    /// A problem with its detail.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Problem { code, detail: detail.into(), field: None, retry_after_s: None }
    }

    /// A problem of one field.
    pub fn of_field(code: Code, field: &str, detail: impl Into<String>) -> Self {
        Problem { field: Some(field.to_string()), ..Problem::new(code, detail) }
    }

    /// The conversation's messages are answered one after another, and it was not this one's turn in time.
    pub fn conversation_busy() -> Self {
        let problem = Problem::new(Code::ConversationBusy, "Its messages are answered one after another.");
        Problem { retry_after_s: Some(1), ..problem }
    }

    /// The RFC 9457 object.
    pub fn body(&self, request_id: &str) -> ProblemBody {
        let code = self.code;
        ProblemBody {
            r#type: format!("/docs#{}", code.as_str()),
            title: code.title(),
            status: code.status().as_u16(),
            detail: self.detail.clone(),
            code: code.as_str(),
            field: self.field.clone(),
            fix: code.fix(),
            handover: (code == Code::TurnTimeout).then_some("failure"),
            request_id: request_id.to_string(),
        }
    }

    /// The OpenAI object.
    pub fn openai_body(&self) -> OpenAiError {
        let kind = match self.code.status().as_u16() {
            401 => "authentication_error",
            403 => "permission_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        };
        let message = format!("{} {}", self.detail, self.code.fix());
        OpenAiError {
            error: OpenAiErrorBody { message, r#type: kind, param: self.field.clone(), code: self.code.as_str() },
        }
    }

    /// The response below `/v1`, or anywhere else.
    pub fn respond(&self, request_id: &str, openai: bool) -> Response {
        let mut response = if openai {
            Json(self.openai_body()).into_response()
        } else {
            let kind = HeaderValue::from_static("application/problem+json");
            ([(header::CONTENT_TYPE, kind)], Json(self.body(request_id))).into_response()
        };
        *response.status_mut() = self.code.status();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if self.code.status() == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// An error of the native API (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemBody {
    /// Where the code is explained.
    r#type: String,
    /// What the code means.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong with this very request.
    detail: String,
    /// The stable code.
    code: &'static str,
    /// The field at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// How to mend it.
    fix: &'static str,
    /// `failure` when the shopper should be offered a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    handover: Option<&'static str>,
    /// The id to quote to the operator.
    request_id: String,
}

/// An error of the OpenAI-compatible API.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenAiError {
    error: OpenAiErrorBody,
}

/// What is wrong, in OpenAI's words.
#[derive(Debug, Serialize, ToSchema)]
struct OpenAiErrorBody {
    /// What is wrong and how to mend it.
    message: String,
    /// The family of the error.
    r#type: &'static str,
    /// The field at fault.
    param: Option<String>,
    /// The stable code.
    code: &'static str,
}

impl IntoResponse for Problem {
    /// An empty response that carries the problem; the passage writes the body.
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<TurnError> for Problem {
    fn from(error: TurnError) -> Self {
        let detail = error.to_string();
        match error {
            TurnError::UnknownSession(_) => Problem::of_field(Code::UnknownSession, "session_id", detail),
            TurnError::EmptyMessage => Problem::of_field(Code::MessageEmpty, "message", detail),
            TurnError::MessageTooLong { .. } => Problem::of_field(Code::MessageTooLong, "message", detail),
            TurnError::Busy { retry_after_s } => {
                Problem { retry_after_s: Some(retry_after_s), ..Problem::new(Code::Busy, detail) }
            }
            TurnError::Conflict => Problem::conversation_busy(),
            TurnError::Failed(cause) => {
                tracing::error!("turn failed: {cause:#}");
                Problem::new(Code::Internal, "The message could not be answered.")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_over_the_wire_are_their_names() {
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
            assert!(code.status().is_client_error() || code.status().is_server_error());
        }
    }

    #[test]
    fn the_inner_cause_stays_inside() {
        let problem = Problem::from(TurnError::Failed(anyhow::anyhow!("secret path")));
        let body = serde_json::to_string(&problem.body("r-1")).unwrap();
        assert!(!body.contains("secret") && body.contains("\"code\":\"internal\""), "{body}");
    }
}
