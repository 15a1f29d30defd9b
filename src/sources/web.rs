//! One question over HTTP to a system of the merchant: bounded in time, redirects followed by hand. Synchronous: it runs on threads of
//! its own. Credentials go to the host they are meant for and are never written anywhere.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body};

use super::address::Address;

/// How a system introduces itself.
const AGENT: &str = concat!("truetill/", env!("CARGO_PKG_VERSION"));

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// It may go better the next time.
    #[error("{0}")]
    Passing(String),
    /// It will not: an address or a setting is wrong.
    #[error("{0}")]
    Lasting(String),
}

/// A question.
pub(super) struct Question<'a> {
    pub address: &'a Address,
    pub headers: &'a [(String, String)],
    /// Sent to the address's own host alone.
    pub credentials: Option<(&'a str, &'a str)>,
    /// JSON that is posted; none: something is read.
    pub body: Option<&'a str>,
    pub patience: Duration,
    /// How many redirects are followed.
    pub redirects: u8,
}

/// An agent that leaves redirects and statuses to us.
pub(super) fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_response_header_size(64 << 10)
        .user_agent(AGENT)
        .build()
        .into()
}

/// Asks, following redirects; the answer's head is here, its body still comes.
pub(super) fn ask(agent: &Agent, question: &Question<'_>) -> Result<Response<Body>, Trouble> {
    let until = Instant::now() + question.patience;
    let mut address = question.address.clone();
    for _ in 0..=question.redirects {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Trouble::Passing("no answer in time".to_string()));
        }
        let response = once(agent, question, (&address, left))?;
        if question.redirects == 0 || !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(response);
        }
        let location = header(response.headers(), "location").unwrap_or_default();
        let next = address.redirected(&location);
        address =
            next.ok_or_else(|| Trouble::Lasting(format!("{address} redirects to no address that may be followed")))?;
    }
    Err(Trouble::Lasting(format!("more than {} redirects", question.redirects)))
}

fn once(
    agent: &Agent,
    question: &Question<'_>,
    (address, left): (&Address, Duration),
) -> Result<Response<Body>, Trouble> {
    let credentials = question.credentials.filter(|_| address.same_origin(question.address));
    if credentials.is_some() && !address.private() {
        return Err(Trouble::Lasting("credentials are only sent over https".to_string()));
    }
    let headers = question.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let headers: Vec<(&str, &str)> = headers.chain(credentials).collect();
    let url = address.to_string();
    let sent = match question.body {
        None => {
            let request = headers.iter().fold(agent.get(&url), |request, (name, value)| request.header(*name, *value));
            request.config().timeout_global(Some(left)).build().call()
        }
        Some(body) => {
            let request = headers.iter().fold(agent.post(&url), |request, (name, value)| request.header(*name, *value));
            request.config().timeout_global(Some(left)).build().send(body)
        }
    };
    sent.map_err(|error| trouble(&error))
}

fn trouble(error: &ureq::Error) -> Trouble {
    match error {
        ureq::Error::Http(_) | ureq::Error::BadUri(_) => Trouble::Lasting(error.to_string()),
        ureq::Error::Timeout(_) => Trouble::Passing("no answer in time".to_string()),
        _ => Trouble::Passing(error.to_string()),
    }
}

/// A header's text.
pub(super) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(|text| text.trim().to_string())
}

/// A moment as headers tell it.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    // HTTP writes GMT where RFC 2822 writes an offset.
    let text = text.strip_suffix("GMT").map_or_else(|| text.to_string(), |front| format!("{front}+0000"));
    rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text.trim()).ok()
}

/// How long a system wants to be left alone: seconds, or a moment.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    const LONGEST: u64 = 24 * 3600;
    let text = header(headers, "retry-after")?;
    // Some send fractions of seconds.
    let whole = text.split('.').next().unwrap_or_default();
    let seconds = match whole.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => u64::try_from(moment(&text)?.duration_since(now).as_secs()).ok()?,
    };
    Some(Duration::from_secs(seconds.min(LONGEST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: Option<u64>) {
        let now: Timestamp = "2026-11-23T09:00:00Z".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", value.parse().unwrap());
        assert_eq!(retry_after(&headers, now).map(|pause| pause.as_secs()), expected, "{value}");
    }

    #[test]
    fn pauses_are_read_in_both_forms_and_bounded() {
        check("2", Some(2));
        check("2.0", Some(2));
        check("Mon, 23 Nov 2026 09:01:00 GMT", Some(60));
        check("Mon, 23 Nov 2026 08:59:00 GMT", None);
        check("99999999999", Some(24 * 3600));
        check("-1", None);
        check("soon", None);
        assert_eq!(moment("Wed, 21 Oct 2015 07:28:00 GMT").unwrap().as_second(), 1_445_412_480);
    }
}
