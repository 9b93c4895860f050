//! What the program is asked for.

use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use sward_tests::identity::can_move;

pub(crate) const USAGE: &str = "\
usage: stress [options]

  --seed N          where all choices come from (0 to 18446744073709551615); without it, one is taken from the clock
  --seconds S       begin no round after so many seconds (1 to 86400; 600)
  --rounds N        do so many rounds at most
  --round R         begin with round R; without --rounds and --seconds, do this one only
  --times N         do each round N times: its choices come again, the schedule does not
  --workers N       workers of every round (1 to 64), instead of 1 to 16 as drawn
  --homes KIND      moving or fixed, instead of either as drawn
  --limit-homes N   the limit of moving homes (1 to 1024), instead of 1 to 128 as drawn
  --patience S      a round in which nothing goes on for so many seconds has failed (1 to 3600; 60)
  --show            print the choices of a round, run nothing
  --help            print this
";

/// A mistake planted on purpose, to see that it is found: `--sabotage NAME`, which the usage does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// A greenlet gives a wrong value.
    Sum,
    /// A value is not dropped.
    Drop,
    /// A greenlet panics that should not.
    Panic,
    /// One panic that nobody joins is not among the chosen.
    Unheard,
    /// The echo of a message has a wrong byte.
    Message,
    /// A descriptor stays open.
    Descriptor,
    /// A thread stays.
    Thread,
    /// Memory stays mapped.
    Memory,
    /// A greenlet parks, and nobody unparks it.
    Hang,
    /// The process dies.
    Crash,
}

impl Sabotage {
    const NAMES: [(&str, Sabotage); 10] = [
        ("sum", Sabotage::Sum),
        ("drop", Sabotage::Drop),
        ("panic", Sabotage::Panic),
        ("unheard", Sabotage::Unheard),
        ("message", Sabotage::Message),
        ("descriptor", Sabotage::Descriptor),
        ("thread", Sabotage::Thread),
        ("memory", Sabotage::Memory),
        ("hang", Sabotage::Hang),
        ("crash", Sabotage::Crash),
    ];
}

/// Which homes every round has, whatever it draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Moving,
    Fixed,
}

/// The options of a run. None of them changes how many numbers are drawn, so the other choices stay as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) seed: u64,
    pub(crate) first: u64,
    pub(crate) rounds: Option<u64>,
    pub(crate) limit: Duration,
    pub(crate) times: u64,
    pub(crate) workers: Option<usize>,
    pub(crate) kind: Option<Kind>,
    pub(crate) limit_homes: Option<usize>,
    pub(crate) patience: Duration,
    pub(crate) sabotage: Option<Sabotage>,
    /// `--inside`: this is the child process, which runs the rounds.
    pub(crate) inside: bool,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Run(Options),
    Show(Options),
    Help,
}

/// Reads the arguments. The error says which is wrong and what would be right.
pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Request, String> {
    let mut seed = None;
    let (mut first, mut seconds, mut show) = (None, None, false);
    let mut options = Options {
        seed: 0,
        first: 0,
        rounds: None,
        limit: Duration::ZERO,
        times: 1,
        workers: None,
        kind: None,
        limit_homes: None,
        patience: Duration::from_secs(60),
        sabotage: None,
        inside: false,
    };
    let mut arguments = arguments;
    while let Some(name) = arguments.next() {
        let mut value = || {
            let value = arguments.next();
            value.ok_or_else(|| format!("{name} needs a value"))
        };
        match name.as_str() {
            "--seed" => seed = Some(number(&name, &value()?, 0, u64::MAX)?),
            "--seconds" => seconds = Some(number(&name, &value()?, 1, 86_400)?),
            "--rounds" => options.rounds = Some(number(&name, &value()?, 1, u64::MAX / 2)?),
            "--round" => first = Some(number(&name, &value()?, 0, u64::MAX / 2)?),
            "--times" => options.times = number(&name, &value()?, 1, u64::MAX / 2)?,
            "--workers" => options.workers = Some(number(&name, &value()?, 1, 64)?),
            "--homes" => options.kind = Some(kind(&value()?)?),
            "--limit-homes" => options.limit_homes = Some(number(&name, &value()?, 1, 1024)?),
            "--patience" => {
                options.patience = Duration::from_secs(number(&name, &value()?, 1, 3600)?);
            }
            "--sabotage" => options.sabotage = Some(sabotage(&value()?)?),
            "--inside" => options.inside = true,
            "--show" => show = true,
            "--help" => return Ok(Request::Help),
            _ => return Err(format!("there is no option {name:?}")),
        }
    }
    if options.kind == Some(Kind::Fixed) && options.limit_homes.is_some() {
        return Err("--limit-homes is for moving homes, and --homes says fixed".to_owned());
    }
    if first.is_some() && seconds.is_none() && options.rounds.is_none() {
        options.rounds = Some(1);
    }
    options.seed =
        seed.unwrap_or_else(|| RandomState::new().hash_one(SystemTime::now()) % 1_000_000_000);
    options.first = first.unwrap_or(0);
    // Where the rounds are counted, the time has no say unless it is asked for.
    let unasked = if options.rounds.is_some() {
        86_400
    } else {
        600
    };
    options.limit = Duration::from_secs(seconds.unwrap_or(unasked));
    Ok(match show {
        true => Request::Show(options),
        false => Request::Run(options),
    })
}

fn number<T: FromStr + Copy + PartialOrd + std::fmt::Display>(
    name: &str,
    value: &str,
    least: T,
    most: T,
) -> Result<T, String> {
    match value.parse() {
        Ok(number) if number >= least && number <= most => Ok(number),
        _ => Err(format!(
            "{name} must be a number, {least} to {most}, but is {value:?}"
        )),
    }
}

fn kind(value: &str) -> Result<Kind, String> {
    match value {
        "moving" if can_move() => Ok(Kind::Moving),
        "moving" => Err("homes cannot move on this machine: use --homes fixed".to_owned()),
        "fixed" => Ok(Kind::Fixed),
        _ => Err(format!("--homes must be moving or fixed, but is {value:?}")),
    }
}

fn sabotage(value: &str) -> Result<Sabotage, String> {
    let known = Sabotage::NAMES.iter().find(|(name, _)| *name == value);
    let names = || Sabotage::NAMES.map(|(name, _)| name).join(", ");
    known
        .map(|(_, sabotage)| *sabotage)
        .ok_or_else(|| format!("--sabotage must be one of {}, but is {value:?}", names()))
}

impl Options {
    /// The arguments that give a child, or a person, the same choices from round `first` on.
    pub(crate) fn choices(&self, first: u64) -> Vec<String> {
        let mut arguments = vec![format!("--seed {}", self.seed), format!("--round {first}")];
        arguments.extend(self.workers.map(|workers| format!("--workers {workers}")));
        arguments.extend(self.kind.map(|kind| match kind {
            Kind::Moving => "--homes moving".to_owned(),
            Kind::Fixed => "--homes fixed".to_owned(),
        }));
        arguments.extend(
            self.limit_homes
                .map(|limit| format!("--limit-homes {limit}")),
        );
        arguments.extend(self.sabotage.map(|sabotage| {
            let known = Sabotage::NAMES.iter().find(|(_, it)| *it == sabotage);
            format!("--sabotage {}", known.map_or("", |(name, _)| name))
        }));
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> Result<Options, String> {
        match parse(line.split_whitespace().map(str::to_owned))? {
            Request::Run(options) => Ok(options),
            request => Err(format!("{request:?}")),
        }
    }

    #[test]
    fn what_is_replayed_is_what_was_asked_for() {
        let asked = run("--seed 7 --workers 3 --homes fixed --rounds 9 --sabotage sum").unwrap();
        let again = run(&(asked.choices(5).join(" ") + " --rounds 9")).unwrap();
        assert_eq!(again, Options { first: 5, ..asked });
    }

    #[test]
    fn a_round_by_its_number_is_one_round() {
        assert_eq!(run("--seed 7 --round 3").unwrap().rounds, Some(1));
        assert_eq!(run("--seed 7 --round 3 --seconds 9").unwrap().rounds, None);
        assert_eq!(
            run("--seed 7 --round 3 --rounds 9").unwrap().rounds,
            Some(9)
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, text) in [
            ("--seed", "--seed needs a value"),
            (
                "--seed x",
                "--seed must be a number, 0 to 18446744073709551615, but is \"x\"",
            ),
            (
                "--seconds 0",
                "--seconds must be a number, 1 to 86400, but is \"0\"",
            ),
            (
                "--workers 65",
                "--workers must be a number, 1 to 64, but is \"65\"",
            ),
            (
                "--homes few",
                "--homes must be moving or fixed, but is \"few\"",
            ),
            (
                "--limit-homes -1",
                "--limit-homes must be a number, 1 to 1024",
            ),
            (
                "--homes fixed --limit-homes 2",
                "--limit-homes is for moving homes",
            ),
            ("--sabotage all", "--sabotage must be one of sum, drop,"),
            ("--storm", "there is no option \"--storm\""),
        ] {
            let error = run(line).unwrap_err();
            assert!(error.contains(text), "{error}");
        }
    }
}
