//! What cbindgen does not give: constants by enumeration, and the table of errors, read from the
//! syntax of `src/abi/`.

use std::path::{Path, PathBuf};

use quote::ToTokens;
use syn::{BinOp, Expr, ExprCall, Item, Lit, Type, UnOp, Visibility};

/// An integer constant of the ABI.
pub struct Constant {
    pub name: String,
    /// The name of its Rust type: an enumeration, or a plain integer such as `c_int`.
    pub kind: String,
    pub docs: Vec<String>,
    /// The value as C writes it.
    pub value: String,
    /// The system's own constant that the value is taken from, and whether it is negated.
    pub system: Option<(String, bool)>,
}

/// One row of the table of errors.
pub struct ErrorRow {
    pub name: String,
    pub message: String,
}

/// The constants, types and errors that were read from `src/abi/`.
#[derive(Default)]
pub struct Abi {
    pub constants: Vec<Constant>,
    /// Integer types that stand for C enumerations, with their docs.
    pub enumerations: Vec<(String, Vec<String>)>,
    pub errors: Vec<ErrorRow>,
    /// Names of structs, unions and type aliases.
    pub types: Vec<String>,
    /// The Rust text of these, for cbindgen to print.
    pub rust: String,
}

impl Abi {
    pub fn constants_of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Constant> {
        self.constants.iter().filter(move |c| c.kind == kind)
    }
}

/// All Rust files below `folder`, sorted.
pub fn rust_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for entry in entries {
        let path = entry.map_err(|e| e.to_string())?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn parse(file: &Path) -> Result<syn::File, String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    syn::parse_file(&text).map_err(|e| format!("{}: {e}", file.display()))
}

pub fn read_abi(files: &[PathBuf]) -> Result<Abi, String> {
    let mut abi = Abi::default();
    for file in files {
        for item in &parse(file)?.items {
            read_item(item, &mut abi)?;
        }
    }
    // An alias of an integer is an enumeration when it has constants.
    let (enumerations, others) = std::mem::take(&mut abi.enumerations)
        .into_iter()
        .partition(|(name, _)| abi.constants_of(name).next().is_some());
    abi.enumerations = enumerations;
    abi.types
        .extend(others.into_iter().map(|(name, _): (String, _)| name));
    Ok(abi)
}

fn read_item(item: &Item, abi: &mut Abi) -> Result<(), String> {
    if matches!(item, Item::Type(_) | Item::Union(_))
        || matches!(item, Item::Struct(item) if is_repr_c(&item.attrs))
    {
        abi.rust.push_str(&item.to_token_stream().to_string());
        abi.rust.push('\n');
    }
    match item {
        Item::Const(item) if item.ident == "ERRORS" => {
            abi.errors = error_rows(&item.expr).ok_or("ERRORS is no list of row(…) calls")?;
        }
        // What the files need themselves; C has it by the same name.
        Item::Const(item) if matches!(item.vis, Visibility::Inherited) => {}
        Item::Const(item) => {
            let name = item.ident.to_string();
            let (value, system) =
                c_value(&item.expr).ok_or_else(|| format!("{name}: no C form for its value"))?;
            abi.constants.push(Constant {
                kind: last_segment(&item.ty),
                docs: docs_of(&item.attrs),
                name,
                value,
                system,
            });
        }
        Item::Type(item) => {
            let name = item.ident.to_string();
            if matches!(last_segment(&item.ty).as_str(), "c_int" | "c_uint") {
                abi.enumerations.push((name, docs_of(&item.attrs)));
            } else {
                abi.types.push(name);
            }
        }
        Item::Struct(item) if is_repr_c(&item.attrs) => abi.types.push(item.ident.to_string()),
        Item::Union(item) => abi.types.push(item.ident.to_string()),
        _ => {}
    }
    Ok(())
}

/// A file, its entry points in their order, and their Rust declarations.
pub struct EntryPoints {
    pub file: PathBuf,
    pub names: Vec<String>,
    pub rust: String,
}

pub fn entry_points(file: &Path) -> Result<EntryPoints, String> {
    let mut found = EntryPoints {
        file: file.to_path_buf(),
        names: Vec::new(),
        rust: String::new(),
    };
    for item in parse(file)?.items {
        let Item::Fn(mut function) = item else {
            continue;
        };
        if function.sig.abi.is_some() && function.attrs.iter().any(is_no_mangle) {
            found.names.push(function.sig.ident.to_string());
            function
                .attrs
                .retain(|a| a.path().is_ident("doc") || is_no_mangle(a));
            function.block.stmts.clear();
            found.add(&function);
        }
    }
    Ok(found)
}

impl EntryPoints {
    fn add(&mut self, function: &syn::ItemFn) {
        self.rust.push_str(&function.to_token_stream().to_string());
        self.rust.push('\n');
    }
}

/// `#[unsafe(no_mangle)]`
fn is_no_mangle(attribute: &syn::Attribute) -> bool {
    attribute.path().is_ident("unsafe")
        && attribute
            .parse_args::<syn::Ident>()
            .is_ok_and(|i| i == "no_mangle")
}

fn is_repr_c(attributes: &[syn::Attribute]) -> bool {
    attributes
        .iter()
        .any(|a| a.path().is_ident("repr") && a.parse_args::<syn::Ident>().is_ok_and(|i| i == "C"))
}

/// The lines of a doc comment, without the leading space.
fn docs_of(attributes: &[syn::Attribute]) -> Vec<String> {
    let mut lines = Vec::new();
    for attribute in attributes.iter().filter(|a| a.path().is_ident("doc")) {
        let syn::Meta::NameValue(pair) = &attribute.meta else {
            continue;
        };
        if let Some(text) = string_literal(&pair.value) {
            lines.push(text.strip_prefix(' ').unwrap_or(&text).to_string());
        }
    }
    lines
}

fn string_literal(expression: &Expr) -> Option<String> {
    let Expr::Lit(literal) = expression else {
        return None;
    };
    match &literal.lit {
        Lit::Str(text) => Some(text.value()),
        Lit::CStr(text) => text.value().into_string().ok(),
        _ => None,
    }
}

fn last_segment(ty: &Type) -> String {
    match ty {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .map_or(String::new(), |s| s.ident.to_string()),
        _ => String::new(),
    }
}

/// A constant expression in C, and the system constant it consists of, if it does.
fn c_value(expression: &Expr) -> Option<(String, Option<(String, bool)>)> {
    match expression {
        Expr::Lit(literal) => match &literal.lit {
            // As spelled in Rust, so that a hexadecimal value stays one.
            Lit::Int(number) => Some((number.to_string(), None)),
            _ => None,
        },
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => {
            let (value, system) = c_value(&unary.expr)?;
            Some((format!("-{value}"), system.map(|(name, _)| (name, true))))
        }
        Expr::Path(path) => {
            let name = path.path.segments.last()?.ident.to_string();
            let first = &path.path.segments.first()?.ident;
            let system = (first == "libc").then(|| (name.clone(), false));
            Some((name, system))
        }
        Expr::Binary(binary) => {
            let (left, right) = (c_value(&binary.left)?.0, c_value(&binary.right)?.0);
            let operator = match binary.op {
                BinOp::Add(_) => "+",
                BinOp::Sub(_) => "-",
                BinOp::Shl(_) => "<<",
                BinOp::BitOr(_) => "|",
                _ => return None,
            };
            Some((format!("{left} {operator} {right}"), None))
        }
        Expr::Paren(inner) => Some((format!("({})", c_value(&inner.expr)?.0), None)),
        _ => None,
    }
}

/// Reads `&[row(CODE, c"NAME", c"message"), …]`.
fn error_rows(expression: &Expr) -> Option<Vec<ErrorRow>> {
    let Expr::Reference(reference) = expression else {
        return None;
    };
    let Expr::Array(array) = &*reference.expr else {
        return None;
    };
    array.elems.iter().map(error_row).collect()
}

fn error_row(expression: &Expr) -> Option<ErrorRow> {
    let Expr::Call(ExprCall { args, .. }) = expression else {
        return None;
    };
    let mut args = args.iter().skip(1);
    Some(ErrorRow {
        name: string_literal(args.next()?)?,
        message: string_literal(args.next()?)?,
    })
}
