//! YooKassa payments. Its notices are not signed: each is only a hint to read the payment again.

use anyhow::{Context, ensure};
use async_trait::async_trait;
use serde_json::{Value, json};

use super::seal;
use super::wire::{self, Ask, Sent};
use crate::config::Payments;
use crate::domain::Money;
use crate::domain::cart::{Bill, Paid, PaymentLink};
use crate::engine::{Notice, NoticeError, PaymentLinks};

/// The version of the API, as it stands in every address.
pub const VERSION: &str = "v3";

/// The client.
pub struct YooKassa {
    base: String,
    authorization: String,
    return_url: String,
}

impl YooKassa {
    /// Reads the settings.
    ///
    /// # Errors
    /// A key that is not `SHOPID:SECRET`.
    pub fn read(settings: &Payments) -> anyhow::Result<YooKassa> {
        ensure!(settings.key.0.contains(':'), "payments.key: YooKassa needs SHOPID:SECRET");
        let base = if settings.base.is_empty() { "https://api.yookassa.ru" } else { &settings.base };
        Ok(YooKassa {
            base: base.to_string(),
            authorization: format!("Basic {}", seal::base64(settings.key.0.as_bytes())),
            return_url: settings.return_url.clone(),
        })
    }

    async fn payment(&self, id: &str) -> anyhow::Result<Value> {
        let url = format!("{}/{VERSION}/payments/{id}", self.base);
        let headers = vec![("Authorization", self.authorization.clone())];
        wire::ask(Ask { url, headers, body: Sent::Nothing }).await
    }
}

#[async_trait]
impl PaymentLinks for YooKassa {
    fn provider(&self) -> &'static str {
        "yookassa"
    }

    async fn link(&self, bill: &Bill) -> anyhow::Result<PaymentLink> {
        let body = json!({
            "amount": {"value": bill.amount.amount(), "currency": bill.amount.currency.code()},
            "capture": true,
            "confirmation": {"type": "redirect", "return_url": self.return_url.replace("{order}", &bill.order)},
            "description": bill.order,
            "metadata": {"order": bill.order},
        });
        let headers = vec![("Authorization", self.authorization.clone()), ("Idempotence-Key", bill.key.clone())];
        let url = format!("{}/{VERSION}/payments", self.base);
        let answer = wire::ask(Ask { url, headers, body: Sent::Json(body) }).await?;
        let (reference, url) = (wire::text(&answer, "/id")?, wire::page(&answer, "/confirmation/confirmation_url")?);
        Ok(PaymentLink { provider: "yookassa".to_string(), reference, url })
    }

    async fn paid(&self, notice: Notice<'_>) -> Result<Option<Paid>, NoticeError> {
        let refused = |why: String| NoticeError::Refused(why);
        let told: Value = serde_json::from_slice(notice.body).map_err(|error| refused(format!("not JSON: {error}")))?;
        if told["event"] != "payment.succeeded" {
            return Ok(None);
        }
        let id = told["object"]["id"].as_str().unwrap_or_default();
        let plain = (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !plain {
            return Err(refused("the notice names no payment".to_string()));
        }
        let payment = self.payment(id).await.map_err(NoticeError::Unknown)?;
        if payment["status"] != "succeeded" || payment["paid"] != true || payment["id"] != id {
            return Ok(None);
        }
        let amount = amount(&payment).map_err(NoticeError::Unknown)?;
        Ok(Some(Paid { reference: id.to_string(), amount }))
    }
}

fn amount(payment: &Value) -> anyhow::Result<Money> {
    let currency = wire::text(payment, "/amount/currency")?.parse().context("amount.currency")?;
    Money::parse(&wire::text(payment, "/amount/value")?, currency).context("amount.value")
}
