//! Several jobs at once on the smallest model: nobody's answer depends on who else is there, nobody is forgotten,
//! nothing is kept of who has gone.

use super::batch::Batch;
use super::core::Core;
use super::session::Prepared;
use super::*;
use crate::engine::{PromptTurn, Speaker};

fn core(memory: usize) -> Option<Core> {
    match crate::pull::locate("tiny") {
        Ok(model) => Some(Core::load(&model, &GeneratorSettings { memory, ..GeneratorSettings::default() }).unwrap()),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

fn job((system, text): (&str, &str), grammar: Option<&str>, (temperature, seed): (f64, u64)) -> Job {
    Job {
        system: system.into(),
        turns: vec![PromptTurn { speaker: Speaker::User, text: text.into() }],
        grammar: grammar.map(str::to_owned),
        max_tokens: 14,
        temperature,
        seed,
    }
}

/// Jobs of unequal length, with and without grammar, greedy and sampled.
fn jobs() -> Vec<Job> {
    let shop = "You help in a shop. ".repeat(12);
    let long = format!("{} Which is it?", "A lamp of brass and a mug of clay stood there. ".repeat(30));
    vec![
        job((&shop, "Which lamp is bright?"), None, (0.0, 0)),
        job((&shop, &long), None, (0.0, 0)),
        job((&shop, "Which mug is large?"), Some("start: \"offer(\" /[1-3]/ \")\" | \"ask the customer\""), (0.0, 0)),
        job(("You count.", "One, two"), None, (1.3, 5)),
        job(("You count.", "One, two"), None, (1.3, 6)),
        job((&shop, &long), Some("start: /[a-z ]{20}/"), (0.9, 7)),
        job(("You answer in one word.", "What is the capital of Italy?"), None, (0.0, 0)),
        job((&shop, "Hello"), Some("start: \"a fixed sentence which nobody has to choose\""), (0.0, 0)),
    ]
}

#[test]
fn answers_do_not_depend_on_who_else_is_there() {
    let Some(mut core) = core(64 << 20) else { return };
    let jobs = jobs();
    let text = |done: Result<Generated, GenerateError>| done.map(|d| (d.text, d.generated_tokens, d.finished)).unwrap();
    let alone: Vec<_> = jobs
        .iter()
        .map(|job| {
            core.decoder.forget();
            text(core.generate(job, &|| true))
        })
        .collect();
    core.decoder.forget();
    let together: Vec<_> = core.generate_all(&jobs).into_iter().map(text).collect();
    assert_eq!(together, alone);
    let turned: Vec<Job> = jobs.iter().rev().cloned().collect();
    let again: Vec<_> = core.generate_all(&turned).into_iter().rev().map(text).collect();
    assert_eq!(again, alone, "in another order, with openings remembered");
    assert_ne!(alone[3], alone[4], "seeds count");
}

/// Jobs whose answers repeat what stands before them, and some whose answers do not.
fn repeating() -> Vec<Job> {
    let facts = "1. {name1} = Lumen desk lamp of brushed brass; {price1} = 39.90; lamps, available, warm light, two joints\n\
                 2. {name2} = Tatry mug 350 ml; {price2} = 12.90; mugs, available, stoneware, dishwasher safe\n";
    let copy = format!("{facts}Repeat the list word by word.");
    let quoted = "start: /[a-zA-Z ]{0,20}/ \"Lumen desk lamp of brushed brass\" /[a-zA-Z ;,.]{10,60}/";
    let longer = |job: Job| Job { max_tokens: 72, ..job };
    vec![
        longer(job(("You copy texts.", &copy), None, (0.0, 0))),
        longer(job(("You copy texts.", &copy), Some("start: /[^\\n]+/ (\"\\n\" /[^\\n]+/)*"), (0.0, 0))),
        longer(job(("You copy texts.", &copy), Some(quoted), (0.0, 0))),
        longer(job(("You copy texts.", &copy), None, (0.7, 9))),
        longer(job(
            ("Ты переписываешь тексты.", "Лампа стоит на столе. Лампа стоит на столе. Лампа стоит"),
            None,
            (0.0, 0),
        )),
        longer(job(("You tell stories.", "Tell of a lamp."), Some("start: /([a-z]+ ){4,40}/"), (1.2, 3))),
    ]
}

#[test]
fn drafts_change_nothing_but_the_pace() {
    let Some(mut core) = core(64 << 20) else { return };
    let mut jobs = jobs();
    jobs.extend(repeating());
    // Where a grammar leaves few tokens their scores are computed without rounding, drafts are not: near ties differ.
    jobs.retain(|job| job.grammar.is_none());
    let text = |done: Result<Generated, GenerateError>| done.map(|d| (d.text, d.generated_tokens, d.finished)).unwrap();
    let said = |core: &mut Core, drafts: bool| -> Vec<_> {
        core.drafts = drafts;
        let alone: Vec<_> = jobs.iter().map(|job| text(core.generate(job, &|| true))).collect();
        let pairs = jobs.chunks(2).flat_map(|pair| core.generate_all(pair)).map(text);
        alone.into_iter().chain(pairs).collect()
    };
    let plain = said(&mut core, false);
    assert_eq!(core.tally.drafted, 0);
    let drafted = said(&mut core, true);
    assert_eq!(drafted, plain);
    eprintln!("{:?}", core.tally);
    assert!(core.tally.right > 0 && core.tally.right <= core.tally.drafted, "{:?}", core.tally);
    core.decoder.forget();
    assert_eq!(core.decoder.memory().0, 0, "pages were lost");
}

#[test]
fn memory_is_bounded_and_given_back() {
    // The tiny model takes 23 KB a position: this is room for two of the long jobs at most.
    let Some(mut core) = core(30 << 20) else { return };
    let (jobs, most) = (jobs(), core.decoder.memory().1);
    assert!(most <= 30 << 20);
    let mut batch = Batch::default();
    for n in 0..3 {
        for (at, job) in jobs.iter().enumerate() {
            batch.add(n * 100 + at as u64, Prepared::new(job, &core).unwrap());
        }
    }
    let (mut ended, mut crowded) = (Vec::new(), false);
    while !batch.is_empty() {
        ended.extend(batch.step(&mut core).into_iter().map(|(ticket, done)| (ticket, done.is_ok())));
        assert!(core.decoder.memory().0 <= most);
        crowded |= batch.running() > 0 && batch.len() > batch.running();
    }
    assert!(crowded, "nobody had to wait for room");
    assert!(ended.len() == 24 && ended.iter().all(|(_, ok)| *ok), "{ended:?}");
    core.decoder.forget();
    assert_eq!(core.decoder.memory().0, 0, "pages were lost");
}

#[test]
fn who_is_cancelled_leaves_at_once_and_nothing_stays() {
    let Some(mut core) = core(64 << 20) else { return };
    let jobs = jobs();
    let alone = core.generate(&jobs[0], &|| true).unwrap().text;
    core.decoder.forget();
    let mut batch = Batch::default();
    for (ticket, at) in [(1, 0), (2, 1), (3, 5)] {
        batch.add(ticket, Prepared::new(&jobs[at], &core).unwrap());
    }
    // The second and the third wait until the first has read what they all begin with.
    while batch.running() < 3 {
        assert!(batch.step(&mut core).is_empty());
    }
    let held = core.decoder.memory().0;
    batch.cancel(2, &mut core);
    assert!(batch.len() == 2 && core.decoder.memory().0 < held, "the room is free before the next step");
    batch.cancel(3, &mut core);
    let done = loop {
        if let Some(done) = batch.step(&mut core).pop() {
            break done;
        }
    };
    assert_eq!((done.0, done.1.unwrap().text), (1, alone));
    core.decoder.forget();
    assert_eq!(core.decoder.memory().0, 0);
}

#[test]
fn those_who_write_go_on_while_long_prompts_are_read_in_turns() {
    let Some(mut core) = core(64 << 20) else { return };
    let long = |n: usize| format!("{n} {}", "A lamp of brass and a mug of clay stood there. ".repeat(50));
    let writing = Job { max_tokens: 200, ..job(("You count.", "On"), Some("start: /[a-z ]{900}/"), (1.0, 3)) };
    let mut batch = Batch::default();
    batch.add(1, Prepared::new(&writing, &core).unwrap());
    while batch.written(1) < 2 {
        batch.step(&mut core);
    }
    for n in 2..5 {
        batch.add(n, Prepared::new(&job(("You read.", &long(n as usize)), None, (0.0, 0)), &core).unwrap());
    }
    let whole: Vec<usize> = (2..5).map(|n| batch.unread(n)).collect();
    let (mut steps, mut left) = (0, whole.clone());
    while batch.written(1) < 60 && batch.len() == 4 {
        let before = batch.written(1);
        batch.step(&mut core);
        steps += 1;
        // However fast this machine is, who writes gets a token in each step.
        assert!(batch.written(1) > before || batch.len() < 4, "a long prompt held up who was writing");
        let now: Vec<usize> = (2..5).map(|n| batch.unread(n)).collect();
        let read = now.iter().zip(&left).filter(|(now, before)| now < before).count();
        assert!(read >= 1 || now.iter().all(|n| *n <= 1), "no prompt was read");
        left = now;
        assert!(steps != 3 || left.iter().zip(&whole).all(|(left, whole)| left < whole), "one prompt has to wait");
    }
    assert!(steps > 3, "the prompts were read in {steps} steps");
    for n in 1..5 {
        batch.cancel(n, &mut core);
    }
    assert!(batch.is_empty());
}
