//! The table of the 319 exported functions, as C declarations.

use std::path::Path;

/// One row of `tests/abi/prototypes.tsv`.
pub struct Prototype {
    pub name: String,
    pub returns: String,
    pub parameters: Vec<String>,
}

impl Prototype {
    /// The declaration, on one line and without the semicolon, of something called `declarator`.
    pub fn declare(&self, declarator: &str) -> String {
        let space = if self.returns.ends_with('*') { "" } else { " " };
        format!(
            "{}{space}{declarator}({})",
            self.returns,
            self.parameters.join(", ")
        )
    }
}

/// Reads the table.
pub fn read(root: &Path) -> Result<Vec<Prototype>, String> {
    let path = root.join("tests/abi/prototypes.tsv");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let rows = text.lines().skip(1);
    rows.map(|row| parse(row).ok_or_else(|| format!("bad row {row:?}")))
        .collect()
}

fn parse(row: &str) -> Option<Prototype> {
    let mut columns = row.split('\t');
    let name = columns.next()?.to_string();
    let returns = join_stars(columns.next()?);
    let parameters = columns.next()?.split(", ").map(parameter).collect();
    Some(Prototype {
        name,
        returns,
        parameters,
    })
}

/// `char * text` becomes `char *text`.
fn join_stars(text: &str) -> String {
    text.replace("* ", "*")
}

/// Puts the name where C wants it: `double[3] avg` is `double avg[3]`,
/// `void (*)(void) callback` is `void (*callback)(void)`.
fn parameter(text: &str) -> String {
    let (ty, name) = match text.rsplit_once(' ') {
        Some((ty, name)) if !name.starts_with('*') && !ty.is_empty() => (ty, name),
        _ => return join_stars(text),
    };
    if let Some(open) = ty.find("(*)") {
        return format!("{}(*{name}){}", &ty[..open], &ty[open + 3..]);
    }
    if let Some(bracket) = ty.find('[') {
        let element = join_stars(&format!("{} ", &ty[..bracket]));
        return format!("{}{name}{}", element, &ty[bracket..]);
    }
    join_stars(text)
}
