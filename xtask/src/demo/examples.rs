//! The programs of `examples/`, run against each other.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{Demo, Report};
use crate::tools::{self, run};

/// A server of the examples: it says where it listens, and ends with its standard input.
struct Server {
    child: Child,
    place: String,
}

impl Server {
    fn start(command: &mut Command) -> Result<Server, String> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut line = String::new();
        let output = child.stdout.take().ok_or("no output")?;
        BufReader::new(output)
            .read_line(&mut line)
            .map_err(|error| error.to_string())?;
        let place = line.trim().strip_prefix("listening on ").map(String::from);
        match place {
            Some(place) => Ok(Server { child, place }),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                Err(format!("the server said {line:?}"))
            }
        }
    }

    fn mapped(&self) -> Result<PathBuf, String> {
        tools::mapped_library(self.child.id())
    }

    fn stop(mut self) -> Result<(), String> {
        drop(self.child.stdin.take());
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the server ended with {status}"))
        }
    }
}

/// Bytes without a pattern.
fn contents(size: usize) -> Vec<u8> {
    let mut state = size as u32 | 1;
    (0..size)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    std::fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}

pub(super) fn echo_tcp(demo: &Demo) -> Result<Report, String> {
    echo(demo, &["tcp"])
}

pub(super) fn echo_unix(demo: &Demo) -> Result<Report, String> {
    // A short path: the address of a Unix socket has 108 bytes.
    let socket = std::env::temp_dir().join(format!("oxuv-demo-{}", std::process::id()));
    echo(demo, &["unix", &socket.to_string_lossy()])
}

fn echo(demo: &Demo, arguments: &[&str]) -> Result<Report, String> {
    let server = demo.example("echo_server")?;
    let client = demo.example("echo_client")?;
    let file = demo.folder.join("to-be-echoed");
    write(&file, &contents(3_000_000))?;
    let server = Server::start(demo.library.command(server).args(arguments))?;
    let mapped = server.mapped()?;
    let output = run(demo
        .library
        .command(client)
        .args([arguments[0], &server.place])
        .arg(&file)
        .arg("20"))?;
    server.stop()?;
    let result = String::from_utf8_lossy(&output.stdout).trim().to_string();
    if result != "20 connections, 60000000 bytes echoed" {
        return Err(result);
    }
    Ok(Report { mapped, result })
}

pub(super) fn file_server(demo: &Demo) -> Result<Report, String> {
    let program = demo.example("file_server")?;
    let folder = demo.folder.join("files");
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let sizes = [0, 1, 65_535, 65_536, 5_000_000];
    for size in sizes {
        write(&folder.join(format!("file-{size}")), &contents(size))?;
    }
    let server = Server::start(demo.library.command(program).arg(&folder))?;
    let mapped = server.mapped()?;
    let fetches: Vec<_> = sizes
        .iter()
        .cycle()
        .take(50)
        .map(|size| {
            let (place, size) = (server.place.clone(), *size);
            std::thread::spawn(move || match get(&place, &format!("file-{size}"))? {
                (200, body) if body == contents(size) => Ok(()),
                (status, body) => Err(format!("{size}: status {status}, {} bytes", body.len())),
            })
        })
        .collect();
    for fetch in fetches {
        fetch.join().map_err(|_| "a client panicked")??;
    }
    let (status, _) = get(&server.place, "no-such-file")?;
    if status != 404 {
        return Err(format!("a missing file gave {status}"));
    }
    server.stop()?;
    Ok(Report {
        mapped,
        result: "50 files of up to 5,000,000 bytes, and a 404".into(),
    })
}

/// Status and body of a GET.
fn get(port: &str, name: &str) -> Result<(u16, Vec<u8>), String> {
    let fetch = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{port}"))?;
        stream.write_all(format!("GET /{name} HTTP/1.0\r\n\r\n").as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    let answer = fetch().map_err(|error| error.to_string())?;
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or("no head")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|word| word.parse().ok())
        .ok_or("no status")?;
    Ok((status, answer[end + 4..].to_vec()))
}

pub(super) fn timers_and_work(demo: &Demo) -> Result<Report, String> {
    let program = demo.example("timers_and_work")?;
    // It prints nothing until it ends: its mappings are checked while the pool works.
    let child = demo
        .library
        .command(program)
        .arg("8")
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mapped = wait_for_library(child.id())?;
    let output = child
        .wait_with_output()
        .map_err(|error| error.to_string())?;
    let result = String::from_utf8_lossy(&output.stdout).trim().to_string();
    if !output.status.success() {
        return Err(format!("{}: {result}", output.status));
    }
    Ok(Report { mapped, result })
}

/// The library that a process maps, once its loader has come that far.
fn wait_for_library(pid: u32) -> Result<PathBuf, String> {
    loop {
        match tools::mapped_library(pid) {
            Ok(path) => return Ok(path),
            Err(error) if !Path::new(&format!("/proc/{pid}/maps")).exists() => return Err(error),
            Err(_) => std::thread::yield_now(),
        }
    }
}

pub(super) fn many_connections(demo: &Demo) -> Result<Report, String> {
    let program = demo.example("many_connections")?;
    let arguments = ["10000", "10"];
    let child = demo
        .library
        .command(&program)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mapped = wait_for_library(child.id())?;
    let output = child
        .wait_with_output()
        .map_err(|error| error.to_string())?;
    let result = String::from_utf8_lossy(&output.stdout).trim().to_string();
    if !output.status.success() {
        return Err(format!("{}: {result}", output.status));
    }
    // The program on the library of the system, where there is one.
    match run(Command::new(&program)
        .args(arguments)
        .env_remove("LD_LIBRARY_PATH"))
    {
        Ok(theirs) => {
            println!(
                "  Debian's libuv1: {}",
                String::from_utf8_lossy(&theirs.stdout).trim()
            );
        }
        Err(_) => println!("  Debian's libuv1 is not installed: nothing to compare with"),
    }
    Ok(Report { mapped, result })
}
