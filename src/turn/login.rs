//! Whose conversation it is. A conversation goes from nobody's to a customer's and never further: another customer's token, or no
//! token after the last one has ended, begins a conversation of its own, so that nobody reads what another wrote.

use crate::app::App;
use crate::domain::Message;
use crate::domain::cart::Owner;
use crate::domain::identity::{Contact, Login, Visitor};
use crate::domain::session::Session;

/// The conversation this message goes on with, or a new one, and in it whoever the door has checked.
///
/// # Errors
/// The carts cannot be read or written.
pub(super) async fn entered(
    app: &App,
    mut session: Session,
    (message, visitor): (&Message, &Visitor),
) -> anyhow::Result<Session> {
    let now = app.now();
    let over = session.login.until.is_some_and(|until| until <= now);
    match (&session.customer, &message.customer) {
        (None, None) => return Ok(session),
        (Some(_), None) if !over => return Ok(session),
        (Some(held), Some(told)) if held == told => {}
        (None, Some(customer)) => {
            session.customer = Some(customer.clone());
            // Whoever proved a contact here before may have been somebody else at the same machine.
            let own = Contact::of(visitor.login.phone.as_deref(), visitor.login.email.as_deref());
            let same = |proved: &Contact| own.as_ref().is_some_and(|own| own.key() == proved.key());
            session.login.proved = session.login.proved.take().filter(|proof| same(&proof.contact));
            session.login.opened = None;
            merge(app, &session).await?;
        }
        _ => {
            session = Session { language: session.language, customer: message.customer.clone(), ..Session::default() };
        }
    }
    if message.customer.is_some() {
        let Login { until, phone, email, .. } = visitor.login.clone();
        (session.login.until, session.login.phone, session.login.email) = (until, phone, email);
    }
    Ok(session)
}

/// What lies in the conversation's own cart becomes the customer's.
async fn merge(app: &App, session: &Session) -> anyhow::Result<()> {
    let anonymous = Owner { customer: None, session: Some(session.id) };
    let known = Owner { customer: session.customer.clone(), ..anonymous.clone() };
    app.state.merge_carts(&anonymous.key(), &known.key()).await
}
