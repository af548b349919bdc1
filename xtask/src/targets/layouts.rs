//! The layouts of a machine's types, as its C compiler has them of libuv's header and of this
//! project's, and as Rust has them. All three are those of `tests/abi/layout-….tsv`.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use abi_tables::tables;

use super::machine::{Builder, Machine};
use crate::Outcome;
use crate::tools::run;

/// The table that names all types and fields: they are the same on every machine.
const NAMES: &str = "layout-x86_64.tsv";

const HEADING: &str = "kind\tname\toffset_or_size\tsize_or_align\tc_type\n";

/// What the measuring program begins with: it prints a row for each type or field.
const PROGRAM: &str = r#"
#include <stddef.h>
#include <stdio.h>
#include <uv.h>
#define TYPE(kind, type, c_type) \
  printf(kind "\t" #type "\t%d\t%d\t%s\n", (int) sizeof(type), (int) _Alignof(type), c_type)
#define FIELD(type, field, c_type) \
  printf("field\t" #type "." #field "\t%d\t%d\t%s\n", (int) offsetof(type, field), \
         (int) sizeof(((type *) 0)->field), c_type)
int main(void) {
"#;

/// Compares the layouts with the table. Where there is none yet, it is made of libuv's header.
pub fn check(root: &Path, builder: &Builder, libuv: &Path) -> Outcome {
    let name = format!("layout-{}.tsv", builder.machine.processor);
    let path = root.join("tests/abi").join(&name);
    let theirs = measure(root, builder, libuv)?;
    if !path.exists() {
        println!("  writing tests/abi/{name}");
        std::fs::write(&path, &theirs).map_err(|error| format!("{name}: {error}"))?;
    }
    let table = std::fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
    differ(&name, &table, "libuv's header", &theirs)?;
    let ours = measure(root, builder, &root.join("include"))?;
    differ(&name, &table, "include/uv.h", &ours)?;
    rust(root, builder)
}

/// What a C compiler makes of the header in a folder, as a table.
fn measure(root: &Path, builder: &Builder, include: &Path) -> Result<String, String> {
    let machine = builder.machine;
    let source = builder.folder.join("layouts.c");
    let program = builder.folder.join("layouts");
    std::fs::write(&source, program_text(&tables::text(NAMES)))
        .map_err(|error| format!("{}: {error}", source.display()))?;
    run(Command::new(machine.compiler())
        .args(machine.flags())
        .args(["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Werror", "-static"])
        .arg("-I")
        .arg(include)
        .arg("-o")
        .args([&program, &source]))?;
    let output = run(&mut builder.command(root, &program))?;
    Ok(HEADING.to_string() + &String::from_utf8_lossy(&output.stdout))
}

/// A program that prints the rows of a table, as they are on the machine that it runs on.
fn program_text(table: &str) -> String {
    let mut text = PROGRAM.to_string();
    for line in table.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let (kind, name, c_type) = (columns[0], columns[1], columns[4]);
        let _ = match name.split_once('.') {
            Some((owner, field)) => writeln!(text, "  FIELD({owner}, {field}, \"{c_type}\");"),
            None => writeln!(text, "  TYPE(\"{kind}\", {name}, \"{c_type}\");"),
        };
    }
    text + "  return 0;\n}\n"
}

/// Fails with the first row that differs.
fn differ(name: &str, table: &str, what: &str, found: &str) -> Outcome {
    let rows = |text: &str| text.lines().map(String::from).collect::<Vec<_>>();
    let (table, found) = (rows(table), rows(found));
    match table.iter().zip(&found).find(|(row, found)| row != found) {
        Some((row, found)) => Err(format!("{name}: {row:?} is {found:?} by {what}")),
        None if table.len() != found.len() => Err(format!("{name} and {what}: not as many rows")),
        None => Ok(()),
    }
}

/// Has the tests of `tests/abi.rs` run for the machine.
fn rust(root: &Path, builder: &Builder) -> Outcome {
    let mut cargo = builder.cargo(root);
    cargo.args(["test", "--quiet", "--locked", "--test", "abi"]);
    cargo.args(["--target", builder.machine.triple, "--config"]);
    cargo.arg(link_setting(builder.machine));
    if builder.machine.has_own_linker() {
        // Rust brings musl itself, for programs that contain it.
        cargo.env_remove(builder.linker_variable());
    }
    run(cargo.arg("--target-dir").arg(builder.folder.join("rust"))).map(drop)
}

/// cargo's setting by which the machine's programs find their C library.
fn link_setting(machine: &Machine) -> String {
    let mut flags: Vec<String> = machine
        .link_flags()
        .iter()
        .map(|flag| format!("\"-Clink-arg={flag}\""))
        .collect();
    if flags.is_empty() {
        // It then needs nothing that this machine may not have.
        flags.push("\"-Ctarget-feature=+crt-static\"".into());
    }
    format!("target.{}.rustflags=[{}]", machine.triple, flags.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_prints_each_row() {
        let table = "kind\tname\ta\tb\tc_type\n\
                     type\tstruct uv__queue\t16\t8\t\n\
                     field\tstruct uv_loop_s.active_reqs.count\t32\t4\tunsigned int\n";
        let text = program_text(table);
        assert!(text.contains("  TYPE(\"type\", struct uv__queue, \"\");\n"));
        let field = "  FIELD(struct uv_loop_s, active_reqs.count, \"unsigned int\");\n";
        assert!(text.contains(field), "{text}");
    }

    #[test]
    fn a_difference_is_shown() {
        let table = "kind\ntype\ta\t1\n";
        assert!(differ("t", table, "here", table).is_ok());
        let error = differ("t", table, "here", "kind\ntype\ta\t2\n").unwrap_err();
        assert!(error.contains("is \"type\\ta\\t2\" by here"), "{error}");
        assert!(differ("t", table, "here", "kind\n").is_err());
    }
}
