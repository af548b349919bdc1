//! Small programs on the library, each run in every order of what its threads do. `cargo xtask
//! models` builds and runs them.
//!
//!     models                                     lists them: name, preemptions (all; in the gate)
//!     models NAME PREEMPTIONS before|after       explores one; prints how many orders there are

mod asyncs;
mod jobs;
mod parts;

use std::process::ExitCode;

use modelled::{Fences, Limits, explore};

struct Model {
    name: &'static str,
    run: fn(),
    /// How often a thread may lose its turn: in a full run, and in the gate.
    preemptions: [usize; 2],
    forks: bool,
}

const fn model(name: &'static str, run: fn(), preemptions: [usize; 2]) -> Model {
    Model {
        name,
        run,
        preemptions,
        forks: false,
    }
}

const MODELS: &[Model] = &[
    model("send", asyncs::send, [6, 4]),
    model("send_twice", asyncs::send_twice, [4, 3]),
    model("two_senders", asyncs::two_senders, [3, 2]),
    model("two_handles", asyncs::two_handles, [3, 2]),
    model("leave", asyncs::leave, [6, 4]),
    model("close", asyncs::close, [9, 6]),
    model("close_sent", asyncs::close_sent, [4, 3]),
    Model {
        forks: true,
        ..model("fork", asyncs::fork, [4, 3])
    },
    model("job", jobs::one, [5, 4]),
    model("job_after_job", jobs::one_after_another, [4, 3]),
    model("two_workers", jobs::two_workers, [3, 2]),
    model("cancel", jobs::cancel, [6, 4]),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, preemptions, fences] = &arguments[..] else {
        for model in MODELS {
            let [full, gate] = model.preemptions;
            println!("{} {full} {gate}", model.name);
        }
        return ExitCode::SUCCESS;
    };
    let model = MODELS.iter().find(|model| model.name == name);
    let model = model.expect("there is such a model");
    let limits = Limits {
        fences: match &fences[..] {
            "before" => Fences::Before,
            "after" => Fences::After,
            other => panic!("{other}: neither before nor after"),
        },
        preemptions: Some(preemptions.parse().expect("a number")),
        forks: model.forks,
    };
    parts::prepare();
    println!("{}", explore(limits, model.run));
    ExitCode::SUCCESS
}
