//! Times that can be booked: the free ones are offered, the chosen one is held before anything is said, and booked with the yes to
//! the question whether the contact may be used. A time that somebody else was faster to take is said to be gone.

use jiff::{SignedDuration, Timestamp};

use crate::app::App;
use crate::domain::session::Session;
use crate::domain::{Command, CommandName, Language, Localised, Screened, Slots};

/// What became of the time that a message chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Picked {
    /// It waits for a yes.
    Held,
    /// Somebody else has it.
    Gone,
}

impl Picked {
    /// What is done next: the contact is asked for, or other times are offered.
    pub(super) fn understood(self) -> Vec<Command> {
        let name = if self == Picked::Held { CommandName::LeaveContact } else { CommandName::Menu };
        vec![Command { name, slots: Slots::default() }]
    }
}

/// Holds the time that the message chooses among those offered last.
pub(super) async fn picked(app: &App, session: &mut Session, screened: &Screened) -> Option<Picked> {
    let talk = session.menu.as_mut()?;
    let step = app.menus.step.get(&talk.step).filter(|step| step.slots)?;
    let at = app.menu_words.picks(&talk.step, talk.slots.len(), &screened.text)?;
    let start = *talk.slots.get(at)?;
    let now = app.now();
    let until = now + SignedDuration::from_mins(i64::from(app.booking.hold_minutes));
    let held = match app.state.hold_time((session.id, start), app.booking.seats, (now, until)).await {
        Ok(held) => held && start > now,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "a time could not be held");
            false
        }
    };
    if !held {
        return Some(Picked::Gone);
    }
    let ask = step.ask.get(screened.language).to_string();
    talk.chosen.push((ask, label(app, screened.language, start)));
    (talk.slot, talk.slots) = (Some(start), Vec::new());
    Some(Picked::Held)
}

/// The next times that are free; none when the book cannot be read.
pub(super) async fn free(app: &App, now: Timestamp) -> Vec<Timestamp> {
    let taken = match app.state.taken_times(now, now).await {
        Ok(taken) => taken,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the booked times could not be read");
            return Vec::new();
        }
    };
    let seats = i64::from(app.booking.seats);
    let full = |start: &Timestamp| taken.iter().any(|(known, count)| known == start && *count >= seats);
    let starts = app.booking.starts(now, &app.shop.time_zone());
    starts.into_iter().filter(|start| !full(start)).take(app.booking.offered).collect()
}

/// A time as a choice of a menu.
pub(super) fn choice(app: &App, language: Language, start: Timestamp) -> Localised {
    Localised::only(language, label(app, language, start))
}

fn label(app: &App, language: Language, start: Timestamp) -> String {
    app.renderer.moment(language, start.to_zoned(app.shop.time_zone()).datetime())
}
