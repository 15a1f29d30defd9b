//! A link to the shop's own payment page. The page's server says what was paid, with an admin key.

use anyhow::ensure;
use async_trait::async_trait;
use serde::Deserialize;

use crate::domain::Money;
use crate::domain::cart::{Bill, Paid, PaymentLink};
use crate::engine::{Notice, NoticeError, PaymentLinks};

/// A page whose address holds order, amount and currency.
#[derive(Clone, Debug)]
pub struct Template(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    order: String,
    amount: String,
    currency: String,
}

impl Template {
    /// Reads the setting.
    ///
    /// # Errors
    /// It names no order, or is no https address.
    pub fn read(template: &str) -> anyhow::Result<Template> {
        ensure!(template.contains("{order}"), "payments.link: `{template}` needs {{order}}");
        ensure!(template.starts_with("https://"), "payments.link: `{template}` does not begin with https://");
        Ok(Template(template.to_string()))
    }
}

#[async_trait]
impl PaymentLinks for Template {
    fn provider(&self) -> &'static str {
        "link"
    }

    async fn link(&self, bill: &Bill) -> anyhow::Result<PaymentLink> {
        let url = self
            .0
            .replace("{order}", &encoded(&bill.order))
            .replace("{amount}", &bill.amount.amount())
            .replace("{currency}", bill.amount.currency.code())
            .replace("{language}", bill.language.code());
        Ok(PaymentLink { provider: "link".to_string(), reference: bill.order.clone(), url })
    }

    /// The edge lets in nobody but the back office here.
    async fn paid(&self, notice: Notice<'_>) -> Result<Option<Paid>, NoticeError> {
        let refused = |why: String| NoticeError::Refused(why);
        let told: Told = serde_json::from_slice(notice.body).map_err(|error| refused(format!("{error}")))?;
        let currency = told.currency.parse().map_err(|error| refused(format!("{error}")))?;
        let amount = Money::parse(&told.amount, currency).map_err(|error| refused(format!("{error}")))?;
        Ok(Some(Paid { reference: told.order, amount }))
    }
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
