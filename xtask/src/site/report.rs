//! The page of `oxuv report` in a real browser: made of a small trace, it shows its tables and charts,
//! light and dark, and its timeline can be zoomed and asked.

use std::path::Path;

use serde_json::{Value, json};

use super::browser::Browser;
use crate::Outcome;

const TRACE: &str = include_str!("../../../cli/tests/trace.json");

/// What the page looks like from within: empty, or what is wrong with it.
const INSPECT: &str = "
    const wrong = [];
    const page = document.documentElement;
    if (page.scrollWidth > page.clientWidth) wrong.push('wider than the screen');
    const isDrawn = (canvas) => {
      const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
      return data.some((value) => value !== 0);
    };
    for (const canvas of document.querySelectorAll('canvas'))
      if (!isDrawn(canvas)) wrong.push('nothing is drawn: ' + canvas.id);
    const rows = (id) => document.querySelectorAll('#' + id + ' tr').length;
    if (rows('longest') !== 4) wrong.push('callbacks: ' + rows('longest'));
    if (rows('pool') !== 2) wrong.push('jobs: ' + rows('pool'));
    const longest = document.querySelector('#longest tr[tabindex]').innerText;
    if (!longest.includes('60.0 ms') || !longest.includes('on_stat')) wrong.push('longest: ' + longest);
    const summary = document.getElementById('summary').textContent;
    for (const part of ['threads: 2', 'callbacks: 3', '3 events were dropped'])
      if (!summary.includes(part)) wrong.push(summary);
    if (document.querySelector('b')) wrong.push('a text of the trace became an element');
    for (const entry of performance.getEntriesByType('resource'))
      if (!entry.name.startsWith('data:')) wrong.push('loaded from elsewhere: ' + entry.name);
    return wrong;";

/// The timeline is zoomed by the keyboard and by the wheel, and asked by a click on a row.
const USE: &str = "
    const wrong = [];
    const timeline = document.getElementById('timeline');
    const length = () => view.end - view.start;
    const all = length();
    const press = (key) => timeline.dispatchEvent(new KeyboardEvent('keydown', { key }));
    press('+');
    if (Math.abs(length() - all / 2) > 1) wrong.push('+ does not zoom: ' + length());
    timeline.dispatchEvent(new WheelEvent('wheel', { deltaY: -1, cancelable: true }));
    if (length() >= all / 2) wrong.push('the wheel does not zoom');
    const before = view.start;
    press('ArrowRight');
    if (view.start <= before) wrong.push('the arrow does not move');
    press('0');
    if (length() !== all) wrong.push('0 does not show all');
    document.querySelector('#longest tr[tabindex]').click();
    const details = document.getElementById('details').textContent;
    if (!details.includes('on_stat') || !details.includes('60.0 ms')) wrong.push(details);
    if (view.start > 2280 || view.end < 62280) wrong.push('the slice is not shown');
    if (model.lags.length !== 3) wrong.push('lags: ' + JSON.stringify(model.lags));
    return wrong;";

pub fn check(folder: &Path) -> Outcome {
    let events: Vec<Value> = oxuv_cli::report::events(TRACE).ok_or("the trace is not read")?;
    let page = oxuv_cli::report::page("trace.json", &events);
    // Beside the site, which has no such page.
    let folder = folder.with_file_name("site-report");
    let written = std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(folder.join("trace.html"), page));
    written.map_err(|error| format!("{}: {error}", folder.display()))?;
    let browser = Browser::start(&folder)?;
    let mut backs = Vec::new();
    for scheme in ["light", "dark"] {
        browser.prefer(scheme)?;
        browser.on_each_screen(|screen| {
            browser.open("trace.html")?;
            for script in [INSPECT, USE] {
                let wrong = browser.run(script)?;
                if wrong != json!([]) {
                    return Err(format!(
                        "the report, {scheme}, {screen} pixels wide: {wrong}"
                    ));
                }
            }
            Ok(())
        })?;
        backs.push(browser.run("return getComputedStyle(document.body).backgroundColor")?);
    }
    if backs[0] == backs[1] {
        return Err(format!("the report is {} by day and by night", backs[0]));
    }
    browser.has_no_complaints()?;
    println!("a browser shows the report of a trace, light and dark");
    Ok(())
}
