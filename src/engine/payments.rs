//! Where orders are paid, and what a provider's notice is worth.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::cart::{Bill, Paid, PaymentLink};

/// Where an order is paid. Card data never passes through here: a link does.
#[async_trait]
pub trait PaymentLinks: Send + Sync {
    /// Who takes the money: `link`, `stripe`, `yookassa`.
    fn provider(&self) -> &'static str;
    /// A page for a bill; the same bill's key gets the same page.
    async fn link(&self, bill: &Bill) -> anyhow::Result<PaymentLink>;
    /// What a provider's notice says; none when it says nothing about money that came in.
    async fn paid(&self, notice: Notice<'_>) -> Result<Option<Paid>, NoticeError>;
}

/// A provider's notice as it came in.
#[derive(Clone, Copy, Debug)]
pub struct Notice<'a> {
    /// The bytes of its body: what was signed.
    pub body: &'a [u8],
    /// Its signature, where the provider signs.
    pub signature: Option<&'a str>,
    /// Now.
    pub now: Timestamp,
}

/// Why a notice is not believed.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    /// Nobody but the provider may say so, and this was somebody else or nobody can tell.
    #[error("{0}")]
    Refused(String),
    /// The provider could not be asked; it will send the notice again.
    #[error("the provider could not be asked: {0:#}")]
    Unknown(anyhow::Error),
}
