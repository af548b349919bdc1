//! The site in a real browser: chromium without a window, led by WebDriver. Each page renders on a
//! wide and on a narrow screen, nothing is loaded from elsewhere, and the search finds what it should.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Site;
use crate::Outcome;
use crate::tools;

/// Width and height in pixels: a desktop and a telephone.
const SCREENS: &[(u32, u32)] = &[(1280, 900), (390, 844)];

/// How long the browser may take for anything: only a broken page takes that long, however busy the
/// machine is.
const PATIENCE: Duration = Duration::from_secs(300);

/// Pause between two questions to the browser.
const PAUSE: Duration = Duration::from_millis(20);

/// The key Enter, as WebDriver writes it.
const ENTER: char = '\u{E007}';

/// What a page looks like from within: empty, or what is wrong with it.
const INSPECT: &str = "
    const wrong = [];
    const heading = document.querySelector('main h1');
    if (!heading || !heading.getBoundingClientRect().height) wrong.push('no heading is shown');
    if (!document.title.includes('oxuv')) wrong.push('no title');
    for (const image of document.images)
      if (!image.complete || !image.naturalWidth) wrong.push('not shown: ' + image.src);
    const page = document.documentElement;
    if (page.scrollWidth > page.clientWidth) wrong.push('wider than the screen');
    for (const entry of performance.getEntriesByType('resource'))
      if (!entry.name.startsWith('file:')) wrong.push('loaded from elsewhere: ' + entry.name);
    if (getComputedStyle(document.querySelector('header')).position !== 'sticky') wrong.push('no style');
    return wrong;";

pub fn check(site: &Site) -> Outcome {
    tools::need(&[
        ("chromium", "chromium"),
        ("chromedriver", "chromium-driver"),
    ])?;
    let browser = Browser::start(&site.folder)?;
    browser.on_each_screen(|width| {
        for page in &site.pages {
            browser.open(page)?;
            let wrong = browser.run(INSPECT)?;
            if wrong != json!([]) {
                return Err(format!("{page}, {width} pixels wide: {wrong}"));
            }
        }
        Ok(())
    })?;
    search(&browser)?;
    browser.has_no_complaints()?;
    println!(
        "a browser shows {} pages, and finds what is in them",
        site.pages.len()
    );
    Ok(())
}

/// A search by the keyboard, from the first page and from another one.
fn search(browser: &Browser) -> Outcome {
    for (from, words, expected) in [
        ("index.html", "uv_tcp_connect", "tcp.html#c.uv_tcp_connect"),
        ("fs.html", "tcp_connect", "tcp.html#c.uv_tcp_connect"),
        ("tcp.html", "uv_eagain", "errors.html#c.UV_EAGAIN"),
        (
            "glossary.html",
            "adding a handle",
            "architecture.html#adding-a-handle",
        ),
    ] {
        browser.open(from)?;
        browser.type_into_search(&format!("{words}{ENTER}"))?;
        browser.wait_for(
            &format!("{words} leads to {expected}"),
            &format!(
                "return location.href.endsWith('/{expected}') && document.readyState === 'complete'"
            ),
        )?;
        let shown =
            "const place = document.getElementById(decodeURIComponent(location.hash.slice(1)))
            .getBoundingClientRect();
            return place.height > 0 && place.top >= 0 && place.top < innerHeight;";
        browser.wait_for(&format!("{expected} is on the screen"), shown)?;
    }
    browser.open("index.html")?;
    browser.type_into_search("qqqq")?;
    browser.wait_for(
        "a search in vain says so",
        "return document.getElementById('results').innerText.includes('Nothing is found')",
    )
}

/// A browser with its driver. Both end when it is dropped.
pub struct Browser {
    driver: Child,
    /// Where the driver listens.
    address: String,
    session: String,
    /// The address of the site's folder.
    folder: String,
    /// What driver and browser write, such as a profile.
    temporary: PathBuf,
}

impl Browser {
    pub fn start(folder: &Path) -> Result<Browser, String> {
        let temporary = folder.with_file_name("site-browser");
        std::fs::create_dir_all(&temporary)
            .map_err(|error| format!("{}: {error}", temporary.display()))?;
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .env("TMPDIR", &temporary)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("chromedriver: {error}"))?;
        let output = BufReader::new(driver.stdout.take().ok_or("chromedriver: no output")?);
        let port = output.lines().map_while(Result::ok).find_map(|line| {
            let port = line.split(" on port ").nth(1)?.trim_end_matches('.');
            line.contains("successfully").then(|| port.to_string())
        });
        let mut browser = Browser {
            driver,
            address: format!("http://127.0.0.1:{}", port.unwrap_or_default()),
            session: String::new(),
            folder: format!("file://{}", folder.display()),
            temporary,
        };
        let found = browser.request("/session", &capabilities())?;
        let session = found["sessionId"].as_str();
        browser.session = session.ok_or("chromedriver: no session")?.to_string();
        Ok(browser)
    }

    fn request(&self, path: &str, body: &Value) -> Result<Value, String> {
        let failed = |error: minreq::Error| format!("chromedriver {path}: {error}");
        let response = minreq::post(format!("{}{path}", self.address))
            .with_timeout(PATIENCE.as_secs())
            .with_header("content-type", "application/json")
            .with_body(body.to_string())
            .send()
            .map_err(failed)?;
        let text = response.as_str().map_err(failed)?;
        let answer: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match answer["value"]["error"].is_string() {
            true => Err(format!("chromedriver {path}: {}", answer["value"])),
            false => Ok(answer["value"].clone()),
        }
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.request(&format!("/session/{}{path}", self.session), body)
    }

    /// Returns when the page is loaded.
    pub fn open(&self, page: &str) -> Outcome {
        let url = format!("{}/{page}", self.folder);
        self.post("/url", &json!({ "url": url })).map(drop)
    }

    pub fn run(&self, script: &str) -> Result<Value, String> {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Calls with the width of each screen, once the window has its size.
    pub fn on_each_screen(&self, check: impl Fn(u32) -> Outcome) -> Outcome {
        for &(width, height) in SCREENS {
            let size = json!({ "width": width, "height": height });
            self.post("/window/rect", &size)?;
            check(width)?;
        }
        Ok(())
    }

    /// Has pages be `light` or `dark`.
    pub fn prefer(&self, scheme: &str) -> Outcome {
        let feature = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        let body = json!({
            "cmd": "Emulation.setEmulatedMedia",
            "params": { "features": feature },
        });
        self.post("/goog/cdp/execute", &body).map(drop)
    }

    /// Fails if a page has had an error.
    pub fn has_no_complaints(&self) -> Outcome {
        let messages = self.post("/se/log", &json!({ "type": "browser" }))?;
        match messages == json!([]) {
            true => Ok(()),
            false => Err(format!("the browser complains: {messages}")),
        }
    }

    fn type_into_search(&self, keys: &str) -> Outcome {
        let by = json!({ "using": "css selector", "value": "#search" });
        let element = self.post("/element", &by)?;
        // The only member's name is a constant of the protocol.
        let id = element
            .as_object()
            .and_then(|members| members.values().next());
        let id = id.and_then(Value::as_str).ok_or("the page has no search")?;
        self.post(&format!("/element/{id}/value"), &json!({ "text": keys }))
            .map(drop)
    }

    /// Asks until the script returns true.
    fn wait_for(&self, what: &str, script: &str) -> Outcome {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            // A page that is being left cannot answer.
            if self.run(script).is_ok_and(|answer| answer == json!(true)) {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
        let place = self.run("return location.href")?;
        Err(format!(
            "the browser is at {place}, and this is not so: {what}"
        ))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // Ends the browser; the driver would leave it behind.
            let url = format!("{}/session/{}", self.address, self.session);
            let _ = minreq::delete(url).with_timeout(PATIENCE.as_secs()).send();
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let _ = std::fs::remove_dir_all(&self.temporary);
    }
}

/// The browser's options: no window, no network, and no sandbox. Neither root nor a user in a
/// container can have one, and the pages are this project's own.
fn capabilities() -> Value {
    let arguments = [
        "--headless=new",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--no-first-run",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--no-sandbox",
    ];
    let patience = PATIENCE.as_millis() as u64;
    json!({ "capabilities": { "alwaysMatch": {
        "browserName": "chrome",
        "timeouts": { "pageLoad": patience, "script": patience },
        "goog:chromeOptions": { "binary": "/usr/bin/chromium", "args": arguments },
        "goog:loggingPrefs": { "browser": "ALL" },
    } } })
}
