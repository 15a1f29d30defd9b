//! Stripe Checkout Sessions, and the signed notices about them.

use anyhow::ensure;
use async_trait::async_trait;
use serde_json::Value;

use super::seal;
use super::wire::{self, Ask, Sent};
use crate::config::Payments;
use crate::domain::cart::{Bill, Paid, PaymentLink};
use crate::domain::{Language, Money};
use crate::engine::{Notice, NoticeError, PaymentLinks};

/// The version of the API this was written for.
pub const VERSION: &str = "2024-06-20";
/// A notice may be so many seconds old or ahead.
const TOLERANCE_S: i64 = 300;
/// Currencies whose minor units Stripe counts otherwise than ISO 4217.
const ODD: [&str; 2] = ["ISK", "UGX"];

/// The client.
pub struct Stripe {
    base: String,
    key: String,
    secret: String,
    return_url: String,
}

impl Stripe {
    /// Reads the settings.
    ///
    /// # Errors
    /// A key that is missing.
    pub fn read(settings: &Payments) -> anyhow::Result<Stripe> {
        let Payments { key, webhook_secret, return_url, .. } = settings;
        ensure!(!key.0.is_empty(), "payments.key: Stripe needs a secret key");
        ensure!(
            !webhook_secret.0.is_empty(),
            "payments.webhook_secret: without it no notice of Stripe can be believed"
        );
        let base = if settings.base.is_empty() { "https://api.stripe.com" } else { &settings.base };
        Ok(Stripe {
            base: base.to_string(),
            key: key.0.clone(),
            secret: webhook_secret.0.clone(),
            return_url: return_url.clone(),
        })
    }

    fn form(&self, bill: &Bill) -> Vec<(String, String)> {
        let back = self.return_url.replace("{order}", &bill.order);
        let item = "line_items[0]";
        let mut form = vec![
            ("mode".to_string(), "payment".to_string()),
            ("client_reference_id".to_string(), bill.order.clone()),
            ("metadata[order]".to_string(), bill.order.clone()),
            ("payment_intent_data[metadata][order]".to_string(), bill.order.clone()),
            (format!("{item}[quantity]"), "1".to_string()),
            (format!("{item}[price_data][currency]"), bill.amount.currency.code().to_lowercase()),
            (format!("{item}[price_data][unit_amount]"), bill.amount.minor.to_string()),
            (format!("{item}[price_data][product_data][name]"), bill.order.clone()),
            ("success_url".to_string(), back.clone()),
            ("cancel_url".to_string(), back),
            ("locale".to_string(), locale(bill.language).to_string()),
        ];
        form.extend(bill.email.clone().map(|email| ("customer_email".to_string(), email)));
        form
    }

    /// Checks `t=...,v1=...` over the bytes as they came.
    fn signed(&self, notice: Notice<'_>) -> Result<(), NoticeError> {
        let refused = |why: &str| NoticeError::Refused(why.to_string());
        let header = notice.signature.ok_or_else(|| refused("Stripe-Signature is missing"))?;
        let parts: Vec<(&str, &str)> = header.split(',').filter_map(|part| part.trim().split_once('=')).collect();
        let stamp = parts.iter().find(|(name, _)| *name == "t").map(|(_, value)| *value);
        let stamp = stamp.ok_or_else(|| refused("Stripe-Signature has no time"))?;
        let at: i64 = stamp.parse().map_err(|_| refused("Stripe-Signature has no time"))?;
        if at.abs_diff(notice.now.as_second()) > TOLERANCE_S.unsigned_abs() {
            return Err(refused("the notice is too old"));
        }
        let expected = seal::hmac(self.secret.as_bytes(), &[stamp.as_bytes(), b".", notice.body]);
        // While a secret is exchanged there are several signatures: one that fits is enough.
        let fits = parts
            .iter()
            .any(|(name, value)| *name == "v1" && hex::decode(value).is_ok_and(|tag| seal::same(&expected, &tag)));
        if fits { Ok(()) } else { Err(refused("the signature does not fit")) }
    }
}

#[async_trait]
impl PaymentLinks for Stripe {
    fn provider(&self) -> &'static str {
        "stripe"
    }

    async fn link(&self, bill: &Bill) -> anyhow::Result<PaymentLink> {
        let currency = bill.amount.currency;
        ensure!(
            currency.exponent() <= 2 && !ODD.contains(&currency.code()),
            "Stripe counts {currency} in units of its own"
        );
        let headers = vec![
            ("Authorization", format!("Bearer {}", self.key)),
            ("Idempotency-Key", bill.key.clone()),
            ("Stripe-Version", VERSION.to_string()),
        ];
        let url = format!("{}/v1/checkout/sessions", self.base);
        let answer = wire::ask(Ask { url, headers, body: Sent::Form(self.form(bill)) }).await?;
        let (reference, url) = (wire::text(&answer, "/id")?, wire::page(&answer, "/url")?);
        Ok(PaymentLink { provider: "stripe".to_string(), reference, url })
    }

    async fn paid(&self, notice: Notice<'_>) -> Result<Option<Paid>, NoticeError> {
        self.signed(notice)?;
        let event: Value =
            serde_json::from_slice(notice.body).map_err(|error| NoticeError::Refused(format!("not JSON: {error}")))?;
        let session = &event["data"]["object"];
        let came_in = match event["type"].as_str() {
            // A method that takes days completes the session unpaid and says so later.
            Some("checkout.session.completed") => session["payment_status"] == "paid",
            Some("checkout.session.async_payment_succeeded") => true,
            _ => false,
        };
        if !came_in {
            return Ok(None);
        }
        let currency = session["currency"].as_str().and_then(|code| code.parse().ok());
        let (Some(reference), Some(minor), Some(currency)) =
            (session["id"].as_str(), session["amount_total"].as_i64(), currency)
        else {
            return Err(NoticeError::Refused("a paid session without id, amount_total or currency".to_string()));
        };
        Ok(Some(Paid { reference: reference.to_string(), amount: Money::new(minor, currency) }))
    }
}

fn locale(language: Language) -> &'static str {
    match language {
        Language::En => "en",
        Language::Ru => "ru",
        Language::Sk => "sk",
        Language::Zh => "zh",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"type":"checkout.session.completed","data":{"object":{"id":"cs_1","payment_status":"paid","amount_total":8370,"currency":"eur"}}}"#;

    fn stripe() -> Stripe {
        let none = String::new();
        Stripe { base: none.clone(), key: none.clone(), secret: "whsec_test".to_string(), return_url: none }
    }

    fn sign(secret: &str, stamp: i64, body: &str) -> String {
        hex::encode(seal::hmac(secret.as_bytes(), &[format!("{stamp}.{body}").as_bytes()]))
    }

    async fn check((body, signature): (&str, Option<String>), expected: Option<bool>) {
        let now = jiff::Timestamp::from_second(1_800_000_000).unwrap();
        let notice = Notice { body: body.as_bytes(), signature: signature.as_deref(), now };
        let got = stripe().paid(notice).await;
        assert_eq!(got.as_ref().ok().map(Option::is_some), expected, "{signature:?} {body}: {got:?}");
    }

    #[tokio::test]
    async fn only_a_fresh_signature_over_these_bytes_is_believed() {
        let now = 1_800_000_000;
        let header = |stamp: i64, tag: &str| Some(format!("t={stamp},v1={tag}"));
        let own = |stamp| sign("whsec_test", stamp, BODY);
        check((BODY, header(now, &own(now))), Some(true)).await;
        check((BODY, header(now - 300, &own(now - 300))), Some(true)).await;
        check((BODY, header(now - 301, &own(now - 301))), None).await;
        check((BODY, header(now + 301, &own(now + 301))), None).await;
        check((BODY, header(now, &own(now - 1))), None).await;
        check((BODY, header(now, &sign("other", now, BODY))), None).await;
        check((&BODY.replace("8370", "1"), header(now, &own(now))), None).await;
        check((BODY, Some(format!("t={now},v1=00,v1={}", own(now)))), Some(true)).await;
        check((BODY, Some(format!("t={now},v0={}", own(now)))), None).await;
        check((BODY, Some("v1=".to_string())), None).await;
        check((BODY, None), None).await;
    }

    #[tokio::test]
    async fn a_session_that_is_not_paid_says_nothing() {
        for (from, to) in [("\"paid\"", "\"unpaid\""), ("session.completed", "session.expired")] {
            let body = BODY.replace(from, to);
            let header = format!("t=1800000000,v1={}", sign("whsec_test", 1_800_000_000, &body));
            check((&body, Some(header)), Some(false)).await;
        }
    }
}
