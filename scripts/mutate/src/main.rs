//! Rewrites Rust files so that each operator, match arm and function body can be changed at run time: mutant N is
//! on when the variable MUTANT is N. Prints one line per mutant: number, file, line, function, what changes.
//! The kinds of change are those of cargo-mutants; tests, constants and macros are left as they are.

use proc_macro2::Span;
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{BinOp, Expr, ReturnType, Type, UnOp, parse_quote};

fn main() {
    let mut next = 1;
    for path in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut mutate = Mutate { next, path: &path, function: String::new() };
        mutate.visit_file_mut(&mut file);
        next = mutate.next;
        let rewritten = file.into_token_stream().to_string();
        std::fs::write(&path, rewritten).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
}

struct Mutate<'a> {
    next: u32,
    path: &'a str,
    function: String,
}

impl Mutate<'_> {
    fn mutant(&mut self, span: Span, change: &str) -> u32 {
        let id = self.next;
        self.next += 1;
        let name = self.path.rsplit('/').next().unwrap_or_default();
        println!("{id}\t{name}\t{}\t{}\t{change}", span.start().line, self.function);
        id
    }

    /// What a function of this type could return instead.
    fn values(output: &ReturnType) -> Vec<Expr> {
        let ReturnType::Type(_, kind) = output else { return vec![parse_quote!(())] };
        let written = kind.to_token_stream().to_string();
        let plain = |written: &str| -> Vec<Expr> {
            match written {
                "bool" => vec![parse_quote!(true), parse_quote!(false)],
                "usize" | "u32" | "u64" | "i64" | "i128" | "u8" | "i32" => vec![parse_quote!(0), parse_quote!(1)],
                "String" => vec![parse_quote!(String::new()), parse_quote!("xyzzy".to_string())],
                _ => Vec::new(),
            }
        };
        if let Type::Reference(_) = **kind {
            return if written.ends_with("str") { vec![parse_quote!(""), parse_quote!("xyzzy")] } else { Vec::new() };
        }
        if let Some(inner) = written.strip_prefix("Option <").and_then(|rest| rest.strip_suffix('>')) {
            let mut found: Vec<Expr> = vec![parse_quote!(None)];
            found.extend(plain(inner.trim()).iter().map(|value| -> Expr { parse_quote!(Some(#value)) }));
            return found;
        }
        if written.starts_with("Result < () ,") {
            return vec![parse_quote!(Ok(()))];
        }
        if written.starts_with("Vec <") {
            return vec![parse_quote!(Vec::new())];
        }
        plain(&written)
    }

    fn body(&mut self, output: &ReturnType, block: &mut syn::Block) {
        for value in Self::values(output).into_iter().rev() {
            let change = format!("body -> {}", value.to_token_stream());
            let id = self.mutant(block.span(), &change);
            block.stmts.insert(0, parse_quote!(if crate::mutant::on(#id) { return #value; }));
        }
    }
}

fn test_only(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.to_token_stream().to_string().contains("test"))
}

/// True for an expression that cannot be moved into a closure: it leaves the function, or binds names.
fn tied(expr: &Expr) -> bool {
    struct Find(bool);
    impl<'ast> Visit<'ast> for Find {
        fn visit_expr(&mut self, expr: &'ast Expr) {
            self.0 |= matches!(
                expr,
                Expr::Let(_) | Expr::Return(_) | Expr::Try(_) | Expr::Break(_) | Expr::Continue(_)
            );
            visit::visit_expr(self, expr);
        }
        fn visit_expr_closure(&mut self, _: &'ast syn::ExprClosure) {}
    }
    let mut find = Find(false);
    find.visit_expr(expr);
    find.0
}

fn others(op: &BinOp) -> Vec<BinOp> {
    match op {
        BinOp::Eq(_) => vec![parse_quote!(!=)],
        BinOp::Ne(_) => vec![parse_quote!(==)],
        BinOp::Lt(_) => vec![parse_quote!(==), parse_quote!(>), parse_quote!(<=)],
        BinOp::Gt(_) => vec![parse_quote!(==), parse_quote!(<), parse_quote!(>=)],
        BinOp::Le(_) => vec![parse_quote!(>)],
        BinOp::Ge(_) => vec![parse_quote!(<)],
        BinOp::Add(_) => vec![parse_quote!(-), parse_quote!(*)],
        BinOp::Sub(_) => vec![parse_quote!(+), parse_quote!(/)],
        BinOp::Mul(_) => vec![parse_quote!(+), parse_quote!(/)],
        BinOp::Div(_) => vec![parse_quote!(%), parse_quote!(*)],
        BinOp::Rem(_) => vec![parse_quote!(/), parse_quote!(+)],
        BinOp::BitAnd(_) => vec![parse_quote!(|), parse_quote!(^)],
        BinOp::BitOr(_) => vec![parse_quote!(&), parse_quote!(^)],
        BinOp::AddAssign(_) => vec![parse_quote!(-=), parse_quote!(*=)],
        BinOp::SubAssign(_) => vec![parse_quote!(+=), parse_quote!(/=)],
        BinOp::BitOrAssign(_) => vec![parse_quote!(&=), parse_quote!(^=)],
        BinOp::BitAndAssign(_) => vec![parse_quote!(|=), parse_quote!(^=)],
        _ => Vec::new(),
    }
}

impl VisitMut for Mutate<'_> {
    fn visit_item_mod_mut(&mut self, item: &mut syn::ItemMod) {
        if !test_only(&item.attrs) {
            visit_mut::visit_item_mod_mut(self, item);
        }
    }

    fn visit_item_const_mut(&mut self, _: &mut syn::ItemConst) {}
    fn visit_item_static_mut(&mut self, _: &mut syn::ItemStatic) {}
    fn visit_impl_item_const_mut(&mut self, _: &mut syn::ImplItemConst) {}
    fn visit_pat_mut(&mut self, _: &mut syn::Pat) {}
    fn visit_type_mut(&mut self, _: &mut Type) {}

    fn visit_item_fn_mut(&mut self, item: &mut syn::ItemFn) {
        if test_only(&item.attrs) || item.sig.constness.is_some() {
            return;
        }
        let outer = std::mem::replace(&mut self.function, item.sig.ident.to_string());
        visit_mut::visit_item_fn_mut(self, item);
        self.body(&item.sig.output, &mut item.block);
        self.function = outer;
    }

    fn visit_impl_item_fn_mut(&mut self, item: &mut syn::ImplItemFn) {
        if item.sig.constness.is_some() {
            return;
        }
        let outer = std::mem::replace(&mut self.function, item.sig.ident.to_string());
        visit_mut::visit_impl_item_fn_mut(self, item);
        self.body(&item.sig.output, &mut item.block);
        self.function = outer;
    }

    fn visit_expr_match_mut(&mut self, item: &mut syn::ExprMatch) {
        visit_mut::visit_expr_match_mut(self, item);
        let open = item.arms.iter().any(|arm| matches!(arm.pat, syn::Pat::Wild(_)) && arm.guard.is_none());
        for arm in item.arms.iter_mut() {
            let bound = arm.guard.as_ref().is_some_and(|(_, guard)| tied(guard));
            if bound || (matches!(arm.pat, syn::Pat::Wild(_)) && arm.guard.is_none()) {
                continue;
            }
            let span = arm.pat.span();
            if let Some((_, guard)) = &mut arm.guard {
                let (yes, no) = (self.mutant(span, "guard -> true"), self.mutant(span, "guard -> false"));
                **guard = parse_quote!(((#guard) || crate::mutant::on(#yes)) && !crate::mutant::on(#no));
            } else if open {
                let id = self.mutant(span, "delete match arm");
                arm.guard = Some((Default::default(), parse_quote!(!crate::mutant::on(#id))));
            }
        }
    }

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        visit_mut::visit_expr_mut(self, expr);
        let rewritten: Option<Expr> = match expr {
            Expr::Binary(binary) => match binary.op {
                BinOp::And(_) | BinOp::Or(_) => {
                    let and = matches!(binary.op, BinOp::And(_));
                    if tied(&binary.left) || tied(&binary.right) {
                        None
                    } else {
                        let id = self.mutant(binary.op.span(), if and { "&& -> ||" } else { "|| -> &&" });
                        let (left, right) = (&binary.left, &binary.right);
                        Some(parse_quote!(crate::mutant::join(#id, #and, #left, || #right)))
                    }
                }
                op => {
                    let (left, right) = (binary.left.clone(), binary.right.clone());
                    let span = op.span();
                    let choices: Vec<_> = others(&op)
                        .into_iter()
                        .map(|other| {
                            let what = format!("{} -> {}", op.to_token_stream(), other.to_token_stream());
                            (self.mutant(span, &what), other)
                        })
                        .collect();
                    (!choices.is_empty()).then(|| {
                        let arms = choices.iter().map(|(id, other)| quote!(if crate::mutant::on(#id) { #left #other #right } else));
                        parse_quote!((#(#arms)* { #left #op #right }))
                    })
                }
            },
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_) | UnOp::Neg(_)) && !tied(&unary.expr) => {
                let id = self.mutant(unary.op.span(), "delete ! or -");
                let (op, inner) = (unary.op, &unary.expr);
                Some(parse_quote!((if crate::mutant::on(#id) { #inner } else { #op #inner })))
            }
            _ => None,
        };
        if let Some(rewritten) = rewritten {
            *expr = rewritten;
        }
    }
}
