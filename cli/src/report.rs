//! `oxuv report`: one page, which loads nothing from elsewhere, of what a trace has recorded.

use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

use crate::line::ReportOptions;

const PAGE: &str = include_str!("../report/page.html");
const STYLE: &str = include_str!("../report/style.css");
const MODEL: &str = include_str!("../report/model.js");
const VIEW: &str = include_str!("../report/view.js");

pub fn run(options: &ReportOptions) -> Result<ExitCode, String> {
    let file = &options.file;
    let failed = |file: &Path, error| format!("{}: {error}", file.display());
    let text = std::fs::read(file).map_err(|error| failed(file, error))?;
    let text = String::from_utf8_lossy(&text);
    let events = events(&text).ok_or_else(|| {
        let file = file.display();
        format!("{file}: not a trace: no list of events (JSON) is in it")
    })?;
    let output = match &options.output {
        Some(output) => output.clone(),
        None => file.with_extension("html"),
    };
    if output == *file {
        return Err(format!(
            "{}: the page would overwrite the trace",
            file.display()
        ));
    }
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    std::fs::write(&output, page(&name, &events)).map_err(|error| failed(&output, error))?;
    println!("{}: {} events", output.display(), events.len());
    Ok(ExitCode::SUCCESS)
}

/// The events of a trace: a list, which may lack its end if the program crashed, or an object that
/// has the list.
pub fn events(text: &str) -> Option<Vec<Value>> {
    let events = match serde_json::from_str(text) {
        Ok(Value::Array(events)) => events,
        Ok(Value::Object(mut members)) => match members.remove("traceEvents")? {
            Value::Array(events) => events,
            _ => return None,
        },
        Ok(_) => return None,
        Err(_) => events_so_far(text)?,
    };
    Some(events.into_iter().filter(Value::is_object).collect())
}

/// The events of a list that breaks off.
fn events_so_far(text: &str) -> Option<Vec<Value>> {
    let mut rest = text.trim_start().strip_prefix('[')?;
    let mut events = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ', '\n', '\r', '\t']);
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let Some(Ok(event)) = values.next() else {
            break;
        };
        rest = &rest[values.byte_offset()..];
        events.push(event);
    }
    Some(events)
}

/// The page. No text of the trace can end the script that it is in.
pub fn page(name: &str, events: &[Value]) -> String {
    let data = serde_json::to_string(events).unwrap_or_default();
    let data = data.replace('<', "\\u003c");
    let name = name.replace('&', "&amp;").replace('<', "&lt;");
    let parts = [
        ("@NAME@", name.as_str()),
        ("@STYLE@", STYLE),
        ("@MODEL@", MODEL),
        ("@VIEW@", VIEW),
        ("@EVENTS@", &data),
    ];
    let mut page = String::new();
    let mut rest = PAGE;
    // What a part has in it is not looked at again.
    while let Some((before, mark)) = rest.split_once('@') {
        let end = mark.find('@').unwrap_or(0);
        let name = &rest[before.len()..before.len() + end + 2];
        let part = parts.iter().find(|(mark, _)| *mark == name);
        page.push_str(before);
        page.push_str(part.map_or(name, |(_, text)| text));
        rest = &mark[end + 1..];
    }
    page + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_objects_are_read() {
        assert_eq!(events(r#"[{"ph":"X"},{"ph":"i"}]"#).unwrap().len(), 2);
        assert_eq!(events(r#"{"traceEvents":[{"ph":"X"}]}"#).unwrap().len(), 1);
        assert!(events("3").is_none());
        assert!(events("a picture").is_none());
        assert!(events("").is_none());
    }

    #[test]
    fn a_list_that_breaks_off_is_read_to_there() {
        for end in ["", ",", ",\n{\"ph\":\"X\",\"na", ",\n"] {
            let text = format!("[{{\"ph\":\"X\"}},\n{{\"ph\":\"B\"}}{end}");
            assert_eq!(events(&text).unwrap().len(), 2, "{end:?}");
        }
    }

    #[test]
    fn the_page_has_its_parts_and_no_text_of_the_trace_ends_a_script() {
        let name = "</script><script>alert(1)</script>";
        let all = [serde_json::json!({ "name": name, "ph": "X", "args": { "a": "@STYLE@" } })];
        let page = page("<trace>", &all);
        assert!(page.contains("&lt;trace>"));
        assert!(!page.contains("</script><script>alert"));
        assert!(page.contains("\"@STYLE@\""));
        for mark in ["@NAME@", "@EVENTS@", "@MODEL@", "@VIEW@"] {
            assert!(!page.contains(mark), "{mark}");
        }
        // Nothing is loaded from elsewhere.
        assert!(!page.contains("http://") && !page.contains("https://"));
        assert!(!page.contains("src=") && !page.contains("<link"));
    }
}
