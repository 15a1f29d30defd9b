//! Where orders are paid: a template of the shop's own page, Stripe, or YooKassa. In: a bill made from an order. Out: a link, and
//! what a provider's notice is worth. No card data passes here, and no amount comes from anywhere but the bill.

pub(crate) mod seal;
mod stripe;
mod template;
mod wire;
mod yookassa;

use std::sync::Arc;

use anyhow::bail;

use crate::config::Payments;
use crate::engine::PaymentLinks;

pub use stripe::Stripe;
pub use template::Template;
pub use yookassa::YooKassa;

/// The provider of the settings.
///
/// # Errors
/// An unknown provider, or one whose key is missing, by its setting.
pub fn open(settings: &Payments) -> anyhow::Result<Arc<dyn PaymentLinks>> {
    Ok(match settings.provider.as_str() {
        "link" => Arc::new(Template::read(&settings.link)?),
        "stripe" => Arc::new(Stripe::read(settings)?),
        "yookassa" => Arc::new(YooKassa::read(settings)?),
        other => bail!("payments.provider: `{other}` is none of link, stripe, yookassa"),
    })
}
