//! One-time codes: six digits to the owner of a phone or an e-mail, kept only as a keyed digest, worth something for some minutes and
//! some tries. In: a contact, later what was typed. Out: whether it was sent, whether it is right. A contact that no order has is
//! treated in all ways like one that has some, except that nothing is sent: the shopper cannot tell the two apart.

use std::sync::Arc;

use anyhow::{Context, ensure};
use jiff::{SignedDuration, Timestamp};
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac};
use uuid::Uuid;

use super::sender;
use crate::config::CodeSettings;
use crate::domain::Language;
use crate::domain::identity::Contact;
use crate::domain::session::SessionId;
use crate::engine::{CodeBook, CodeLetter, CodeSender, CodeTried, NewCode};

/// Codes below this are written with leading zeros.
const CODES: u32 = 1_000_000;

/// Sends codes and looks at what is typed.
pub struct Codes {
    sender: Option<Arc<dyn CodeSender>>,
    key: hmac::Key,
    random: SystemRandom,
    rules: CodeSettings,
}

/// A code is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The conversation.
    pub session: SessionId,
    /// Who asks, as far as clients can be told apart.
    pub client: &'a str,
    /// Where it goes.
    pub contact: &'a Contact,
    /// True when an order has this contact: only then is anything sent.
    pub known: bool,
    /// What its letter says, with `{code}` and `{minutes}`.
    pub text: &'a str,
    /// The language of that.
    pub language: Language,
    /// Now.
    pub now: Timestamp,
}

/// What became of the wish for a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It is on its way, or would be if there were an order; worth something until then.
    Sent {
        /// Until when.
        until: Timestamp,
    },
    /// One was sent a moment ago.
    TooSoon {
        /// Seconds until another may be asked for.
        wait_s: i64,
    },
    /// Too many were asked for within the hour.
    TooMany,
}

/// What a typed code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The one.
    Right,
    /// Another one.
    Wrong,
    /// There is none to compare with: never sent, used, too old, or tried too often.
    Over,
}

impl Codes {
    /// Codes by the settings.
    ///
    /// # Errors
    /// A sender that cannot be used, a limit of nought: by its setting.
    pub fn open(settings: &CodeSettings) -> anyhow::Result<Codes> {
        Codes::over(settings, sender::open(settings)?)
    }

    /// The same with a sender made elsewhere.
    ///
    /// # Errors
    /// A limit of nought, by its setting.
    pub fn over(settings: &CodeSettings, sender: Option<Arc<dyn CodeSender>>) -> anyhow::Result<Codes> {
        let CodeSettings { minutes, tries, per_hour, client_per_hour, proof_minutes, .. } = settings;
        let least = [*minutes, *tries, *per_hour, *client_per_hour, *proof_minutes].into_iter().min();
        ensure!(
            least > Some(0),
            "identity.code: minutes, tries, per_hour, client_per_hour and proof_minutes are at least 1"
        );
        let random = SystemRandom::new();
        let key = match settings.key.0.as_bytes() {
            [] => hmac::Key::generate(hmac::HMAC_SHA256, &random).ok().context("no random numbers on this machine")?,
            bytes => hmac::Key::new(hmac::HMAC_SHA256, bytes),
        };
        Ok(Codes { sender, key, random, rules: settings.clone() })
    }

    /// True when somebody carries codes.
    pub fn on(&self) -> bool {
        self.sender.is_some()
    }

    /// Until when a contact that is proved now opens its orders.
    pub fn proof_until(&self, now: Timestamp) -> Timestamp {
        now + SignedDuration::from_mins(i64::from(self.rules.proof_minutes))
    }

    /// Sends a code, within the limits of the contact, the conversation and the client. The letter leaves by itself: how long that
    /// takes tells nobody whether there was one.
    ///
    /// # Errors
    /// The book cannot be read or written; no random numbers.
    pub async fn ask(&self, book: &dyn CodeBook, asking: Asking<'_>) -> anyhow::Result<Asked> {
        let Some(sender) = self.sender.clone() else { anyhow::bail!("identity.code.sender is none") };
        let now = asking.now;
        let code = self.fresh(&asking)?;
        let sent = book.codes_since(&code, now - SignedDuration::from_hours(1)).await?;
        let wait_s =
            sent.latest.map_or(0, |latest| i64::from(self.rules.resend_s) - now.duration_since(latest).as_secs());
        if wait_s > 0 {
            return Ok(Asked::TooSoon { wait_s });
        }
        let per_hour = i64::from(self.rules.per_hour);
        let crowd = !asking.client.is_empty() && sent.client >= i64::from(self.rules.client_per_hour);
        if sent.contact >= per_hour || sent.session >= per_hour || crowd {
            return Ok(Asked::TooMany);
        }
        let typed = self.draw()?;
        let until = code.expires;
        let code = NewCode { digest: self.digest(&code.id, &typed), ..code };
        book.keep_code(&code).await?;
        if asking.known {
            let letter = self.letter(&asking, code.id, typed);
            tokio::spawn(async move {
                if let Err(error) = sender.send(&letter).await {
                    tracing::error!(error = format!("{error:#}"), id = letter.id, "a code could not be sent");
                }
            });
        }
        Ok(Asked::Sent { until })
    }

    /// Looks at a typed code; a wrong one counts before it is compared.
    ///
    /// # Errors
    /// The book cannot be read or written.
    pub async fn check(
        &self,
        book: &dyn CodeBook,
        (session, typed): (SessionId, &str),
        now: Timestamp,
    ) -> anyhow::Result<Checked> {
        let Some(CodeTried { id, digest }) = book.try_code(session, i64::from(self.rules.tries), now).await? else {
            return Ok(Checked::Over);
        };
        let told = hex::decode(&digest).context("a stored digest")?;
        if hmac::verify(&self.key, format!("{id}:{typed}").as_bytes(), &told).is_err() {
            return Ok(Checked::Wrong);
        }
        Ok(if book.use_code(&id).await? { Checked::Right } else { Checked::Over })
    }

    fn fresh(&self, asking: &Asking<'_>) -> anyhow::Result<NewCode> {
        let expires = asking.now + SignedDuration::from_mins(i64::from(self.rules.minutes));
        let hidden = |text: &str| hex::encode(digest::digest(&digest::SHA256, text.as_bytes()));
        Ok(NewCode {
            id: Uuid::now_v7().to_string(),
            session: asking.session,
            client: asking.client.to_string(),
            contact: hidden(&asking.contact.key()),
            digest: String::new(),
            at: asking.now,
            expires,
        })
    }

    fn letter(&self, asking: &Asking<'_>, id: String, code: String) -> CodeLetter {
        let minutes = self.rules.minutes;
        CodeLetter {
            id,
            to: asking.contact.clone(),
            text: asking.text.replace("{code}", &code).replace("{minutes}", &minutes.to_string()),
            code,
            language: asking.language,
            expires: asking.now + SignedDuration::from_mins(i64::from(minutes)),
        }
    }

    fn digest(&self, id: &str, typed: &str) -> String {
        hex::encode(hmac::sign(&self.key, format!("{id}:{typed}").as_bytes()))
    }

    /// Six digits, each as likely as any other.
    fn draw(&self) -> anyhow::Result<String> {
        // The last stretch of u32 is not a whole million: a number from there would favour small codes.
        const FAIR: u32 = u32::MAX - u32::MAX % CODES;
        loop {
            let mut bytes = [0; 4];
            self.random.fill(&mut bytes).ok().context("no random numbers on this machine")?;
            let number = u32::from_le_bytes(bytes);
            if number < FAIR {
                return Ok(format!("{:06}", number % CODES));
            }
        }
    }
}
