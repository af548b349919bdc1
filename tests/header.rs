//! The C headers of `include/`: up to date, fit for C and C++, and true to the ABI tables.

#![allow(clippy::disallowed_types, clippy::disallowed_macros)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use abi_tables::{prototypes, tables};

/// Compilers, the end of their files' names, and the languages they are tried with: with only
/// what POSIX has, with everything, and as a compiler is used without any option.
const COMPILERS: &[(&str, &str, &[&[&str]])] = &[
    ("gcc", "c", C),
    ("clang", "c", C),
    ("g++", "cc", CPP),
    ("clang++", "cc", CPP),
];
const C: &[&[&str]] = &[
    &["-std=c99", "-Wstrict-prototypes", "-D_XOPEN_SOURCE=500"],
    &["-std=c11", "-D_GNU_SOURCE"],
    &["-std=gnu89"],
];
const CPP: &[&[&str]] = &[&["-std=c++98"], &["-std=c++17"]];

/// Every standard of C, and every set of names that a program can ask the system for. libuv's own
/// header asks for some.
const C_STANDARDS: &[&str] = &[
    "c89", "gnu89", "c99", "gnu99", "c11", "gnu11", "c17", "gnu17", "c2x", "gnu2x",
];
const C_NAMES: &[&str] = &[
    "-D_XOPEN_SOURCE=500",
    "-D_XOPEN_SOURCE=600",
    "-D_XOPEN_SOURCE=700",
    "-D_POSIX_C_SOURCE=200112L",
    "-D_POSIX_C_SOURCE=200809L",
    "-D_DEFAULT_SOURCE",
    "-D_GNU_SOURCE",
];
/// The last one is C++23, by the name that older compilers know, too.
const CPP_STANDARDS: &[&str] = &[
    "c++98", "c++03", "c++11", "c++14", "c++17", "c++20", "c++2b",
];

const HEADERS: &[&str] = &[
    "uv.h",
    "uv/errno.h",
    "uv/linux.h",
    "uv/threadpool.h",
    "uv/tree.h",
    "uv/unix.h",
    "uv/version.h",
];

fn installed(compiler: &str) -> bool {
    let found = Command::new(compiler).arg("--version").output().is_ok();
    if !found {
        eprintln!("skipped: {compiler} is not installed");
    }
    found
}

/// Writes a source file where the compilers can find it.
fn source(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// Compiles without making anything, and returns what the compiler complains about.
fn complaints(compiler: &str, options: &[&str], file: &Path) -> Option<String> {
    let output = Command::new(compiler)
        .args(options)
        .args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only"])
        .arg("-I")
        .arg(tables::root().join("include"))
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    (!output.status.success()).then(|| format!("{compiler} {options:?}:\n{text}"))
}

/// Compiles with every compiler that is there, in every language of its.
fn compile_everywhere(name: &str, text: &str) {
    for (compiler, ending, languages) in COMPILERS.iter().filter(|c| installed(c.0)) {
        let file = source(&format!("{name}_{compiler}.{ending}"), text);
        for options in *languages {
            if let Some(text) = complaints(compiler, options, &file) {
                panic!("{name}: {text}");
            }
        }
    }
}

/// Compiles a file of `tests/abi`, which must be without complaints.
fn compile_program(compiler: &str, options: &[&str], name: &str) {
    let path = tables::root().join("tests/abi").join(name);
    if let Some(text) = complaints(compiler, options, &path) {
        panic!("{text}");
    }
}

/// Compiles as C11, which lets typedefs be repeated and has `_Static_assert`.
fn compile_c11(name: &str, text: &str) {
    for compiler in ["gcc", "clang"].into_iter().filter(|c| installed(c)) {
        let file = source(&format!("{name}_{compiler}.c"), text);
        // The address 0 is for measuring only.
        let options = ["-std=c11", "-D_GNU_SOURCE"];
        if let Some(text) = complaints(compiler, &options, &file) {
            panic!("{name}: {text}");
        }
    }
}

fn header_text() -> String {
    let folder = tables::root().join("include");
    let texts = HEADERS
        .iter()
        .map(|h| std::fs::read_to_string(folder.join(h)).unwrap());
    texts.collect()
}

#[test]
fn the_headers_are_up_to_date() {
    let output = Command::new(env!("CARGO"))
        .args([
            "run",
            "--quiet",
            "--package",
            "xtask",
            "--",
            "headers",
            "--check",
        ])
        .current_dir(tables::root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn each_header_compiles_alone() {
    for header in HEADERS {
        let name = format!("alone_{}", header.replace(['/', '.'], "_"));
        compile_everywhere(&name, &format!("#include \"{header}\"\nint unused_here;\n"));
    }
}

#[test]
fn a_program_compiles_as_c_of_any_age() {
    for compiler in ["gcc", "clang"].into_iter().filter(|c| installed(c)) {
        for standard in C_STANDARDS {
            let standard = format!("-std={standard}");
            for names in C_NAMES {
                compile_program(compiler, &[&standard, names], "program.c");
            }
            if standard.contains("gnu") {
                compile_program(compiler, &[&standard], "program.c");
            }
        }
    }
}

#[test]
fn a_program_compiles_as_cpp_of_any_age() {
    for compiler in ["g++", "clang++"].into_iter().filter(|c| installed(c)) {
        for standard in CPP_STANDARDS {
            let standard = format!("-std={standard}");
            compile_program(compiler, &[&standard], "program.cc");
            compile_program(compiler, &[&standard, "-D_GNU_SOURCE"], "program.cc");
        }
    }
}

/// How the functions are declared is for programs to say, but not in two ways.
#[test]
fn macros_of_the_programs_are_heeded() {
    for compiler in ["g++", "clang++"].into_iter().filter(|c| installed(c)) {
        for option in [
            "-DBUILDING_UV_SHARED=1",
            "-DUSING_UV_SHARED=1",
            "-DUV_EXTERN=extern",
        ] {
            compile_program(compiler, &[option], "program.cc");
        }
        let both = ["-DBUILDING_UV_SHARED=1", "-DUSING_UV_SHARED=1"];
        let program = tables::root().join("tests/abi/program.cc");
        assert!(complaints(compiler, &both, &program).is_some());
    }
}

/// A pointer of the table's type to each of the functions, in C and in C++.
#[test]
fn the_functions_are_those_of_the_table() {
    let prototypes = prototypes::read(tables::root()).unwrap();
    assert_eq!(prototypes.len(), 319);
    let mut text = String::from("#include <uv.h>\n");
    for prototype in &prototypes {
        let name = &prototype.name;
        let pointer = prototype.declare(&format!("(*use_{name})"));
        writeln!(text, "extern {};", prototype.declare(name)).unwrap();
        writeln!(text, "{pointer} = {name};").unwrap();
    }
    // C++ wants the repeated declarations in the same language.
    let text = text.replacen('\n', "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n", 1)
        + "#ifdef __cplusplus\n}\n#endif\n";
    compile_everywhere("functions", &text);
}

#[test]
fn nothing_else_is_declared() {
    let text = header_text();
    let expected: BTreeSet<String> = prototypes::read(tables::root())
        .unwrap()
        .into_iter()
        .map(|p| p.name)
        .collect();
    let mut declared = BTreeSet::new();
    for line in text.lines().filter_map(|l| l.strip_prefix("UV_EXTERN ")) {
        let (head, _) = line.split_once('(').unwrap();
        let name = head.rsplit([' ', '*']).next().unwrap();
        assert!(
            declared.insert(name.to_string()),
            "{name} is declared twice"
        );
    }
    assert_eq!(declared, expected);
    for line in text.lines().map(str::trim_start) {
        let line = line.strip_prefix('#').unwrap_or(line).trim_start();
        if let Some(name) = line.strip_prefix("define ") {
            // The trees' macros have the names of the BSDs. The last one is the system's, which
            // hides it from some programs; libuv's header defines it for them as well.
            let ours = ["UV_", "RB_", "HAVE_DIRENT_TYPES", "NI_MAXHOST"];
            let ours = ours.iter().any(|start| name.starts_with(start));
            assert!(ours, "the headers define {name}");
        }
    }
}

/// A type that has no name in libuv has none here: generators of bindings would show it.
#[test]
fn no_other_type_has_a_name() {
    let Some(layout) = tables::layout() else {
        return;
    };
    // libuv's is a struct without a tag, where the system's own type is hidden.
    let mut known = BTreeSet::from(["uv_barrier_t"]);
    known.extend(layout.types.keys().map(String::as_str));
    let text = header_text();
    let mut seen = 0;
    for line in text.lines() {
        let line = line.strip_prefix("typedef ").unwrap_or(line);
        let keyword = ["struct ", "union "].iter();
        let rest = keyword.filter_map(|k| line.strip_prefix(k)).next();
        if let Some(name) = rest.and_then(|rest| rest.strip_suffix(" {")) {
            assert!(known.contains(name), "libuv has no type {name}");
            seen += 1;
        }
    }
    assert_eq!(seen, known.len());
}

/// Generators of bindings evaluate a macro where it stands.
#[test]
fn constants_stand_after_those_that_they_use() {
    let text = header_text().replace("\\\n", " ");
    let defines = || {
        let lines = text.lines().map(|line| line.trim_start_matches(['#', ' ']));
        let defines = lines.filter_map(|line| line.strip_prefix("define "));
        let defines = defines.map(|line| line.split_once(' ').unwrap_or((line, "")));
        defines.filter(|(name, _)| !name.contains('('))
    };
    let mut later: BTreeSet<&str> = defines().map(|(name, _)| name).collect();
    for (name, value) in defines() {
        if !value.contains(['{', ';']) && value != name {
            let words = value.split(|c: char| c != '_' && !c.is_ascii_alphanumeric());
            let early: Vec<&str> = words.filter(|word| later.contains(word)).collect();
            assert!(
                early.is_empty(),
                "{name} uses {early:?} before they are there"
            );
        }
        later.remove(name);
    }
}

#[test]
fn types_have_the_layout_of_the_table() {
    let Some(layout) = tables::layout() else {
        return;
    };
    let mut text = String::from("#include <uv.h>\n#define IS _Static_assert\n");
    for row in layout.types.values().chain(layout.typedefs.values()) {
        let name = &row.c_name;
        writeln!(
            text,
            "IS(sizeof({name}) == {}, \"size of {name}\");",
            row.first
        )
        .unwrap();
        writeln!(
            text,
            "IS(_Alignof({name}) == {}, \"align of {name}\");",
            row.second
        )
        .unwrap();
    }
    typedefs(&mut text, &layout);
    fields(&mut text, &layout);
    compile_c11("layout", &text);
}

/// Repeats each typedef, which C allows with the same type only.
fn typedefs(text: &mut String, layout: &tables::Layout) {
    for row in layout
        .typedefs
        .values()
        .filter(|r| !r.c_type.contains(&r.c_name))
    {
        let name = &row.c_name;
        let line = match row.c_type.split_once("(*)") {
            Some((result, parameters)) => format!("typedef {result}(*{name}){parameters};"),
            None => format!("typedef {} {name};", row.c_type),
        };
        writeln!(text, "{line}").unwrap();
    }
}

fn fields(text: &mut String, layout: &tables::Layout) {
    for (index, row) in layout.fields.values().enumerate() {
        let (owner, field) = row.c_name.split_once('.').unwrap();
        let name = &row.c_name;
        let (offset, size) = (row.first, row.second);
        writeln!(
            text,
            "IS(offsetof({owner}, {field}) == {offset}, \"offset of {name}\");"
        )
        .unwrap();
        writeln!(
            text,
            "IS(sizeof((({owner} *) 0)->{field}) == {size}, \"size of {name}\");"
        )
        .unwrap();
        if row.c_type != "(anonymous)" {
            let ty = &row.c_type;
            let function = format!("__typeof__({ty}) *field_{index}({owner} *value)");
            writeln!(text, "{function} {{ return &value->{field}; }}").unwrap();
        }
    }
}

#[test]
fn constants_have_the_value_of_the_table() {
    let mut text = String::from("#include <uv.h>\n");
    let mut kinds = BTreeSet::new();
    for constant in tables::constants() {
        let name = &constant.name;
        // XX is a parameter's name, not a macro that stays.
        if constant.place == "macro" && name != "XX" {
            writeln!(
                text,
                "#ifndef {name}\n# error \"{name} is missing\"\n#endif"
            )
            .unwrap();
        }
        let value = constant.value;
        if let Some(value) = value.filter(|_| !tables::differs_by_processor(name)) {
            writeln!(text, "_Static_assert({name} == {value}, \"{name}\");").unwrap();
        }
        let code = name.strip_prefix("UV__E").filter(|code| *code != "RR");
        if let (Some(code), None) = (code, constant.value) {
            writeln!(
                text,
                "_Static_assert(UV__E{code} == UV_E{code}, \"{name}\");"
            )
            .unwrap();
        }
        if constant.place != "macro" {
            kinds.insert(constant.place);
        }
    }
    for (index, kind) in kinds.iter().enumerate() {
        writeln!(text, "extern {kind} value_{index};").unwrap();
    }
    compile_c11("constants", &text);
}
