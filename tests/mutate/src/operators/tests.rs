//! Each operator on a small source.

use super::*;

/// What the operator makes of the body of a function: each result in one line.
fn results(operator: &str, body: &str) -> Vec<String> {
    within(operator, &format!("fn f() {{ {body} }}"), "fn f() { ", " }")
}

fn within(operator: &str, text: &str, before: &str, after: &str) -> Vec<String> {
    let mutants = scan("x.rs", text).unwrap();
    let own = mutants.iter().filter(|mutant| mutant.operator == operator);
    own.map(|mutant| {
        let changed = mutant.apply(text);
        assert_ne!(changed, text);
        syn::parse_file(&changed).expect("it is still Rust");
        let body = changed.strip_prefix(before).unwrap_or(&changed);
        let body = body.strip_suffix(after).unwrap_or(body);
        body.split_whitespace().collect::<Vec<_>>().join(" ")
    })
    .collect()
}

#[test]
fn orderings_go_one_step_down() {
    let is = |body, wanted: &[&str]| assert_eq!(results("ordering", body), wanted);
    is("a.load(Ordering::SeqCst);", &["a.load(Ordering::Acquire);"]);
    is("a.load(Acquire);", &["a.load(Relaxed);"]);
    is(
        "a.store(1, Ordering::SeqCst);",
        &["a.store(1, Ordering::Release);"],
    );
    is("a.load(Ordering::Relaxed);", &[]);
    is(
        "a.swap(1, atomic::Ordering::AcqRel);",
        &[
            "a.swap(1, atomic::Ordering::Acquire);",
            "a.swap(1, atomic::Ordering::Release);",
        ],
    );
    // The second one is that of a load.
    is(
        "a.compare_exchange(0, 1, Ordering::SeqCst, Ordering::SeqCst);",
        &[
            "a.compare_exchange(0, 1, Ordering::AcqRel, Ordering::SeqCst);",
            "a.compare_exchange(0, 1, Ordering::SeqCst, Ordering::Acquire);",
        ],
    );
    is("a.cmp(&Ordering::Less);", &[]);
}

#[test]
fn fences_go() {
    let fence = "fence(Ordering::SeqCst); // fence(Ordering::SeqCst)\n";
    assert_eq!(results("fence", fence), ["(); // fence(Ordering::SeqCst)"]);
    assert_eq!(
        results("ordering", fence),
        ["fence(Ordering::AcqRel); // fence(Ordering::SeqCst)"]
    );
}

#[test]
fn wakes_go_where_nobody_looks_at_their_value() {
    let is = |body, wanted: &[&str]| assert_eq!(results("wake", body), wanted);
    is("self.events(1).items.notify_all();", &["();"]);
    is(
        "match x { A(t) => t.unpark(), B => {} }",
        &["match x { A(t) => (), B => {} }"],
    );
    is("calmly(|| waker.wake());", &["calmly(|| ());"]);
    is("let woken = list.notify();", &[]);
    is("waker.wake_mut();", &[]);
}

#[test]
fn fewer_are_woken() {
    let is = |body, wanted: &[&str]| assert_eq!(results("wake-fewer", body), wanted);
    is("a.notify_all();", &["a.notify();"]);
    is("p.wake(&a.b, u32::MAX);", &["p.wake(&a.b, 1);"]);
    is(
        "for w in all { w.wake(); }",
        &["for w in (all).into_iter().skip(1) { w.wake(); }"],
    );
    is("for w in all { w.count(); }", &[]);
}

#[test]
fn locks_are_given_back_earlier() {
    let is = |body, wanted: &[&str]| assert_eq!(results("unlock-early", body), wanted);
    is(
        "let a = x.lock(); a.push(1); self.n.store(2); drop(a);",
        &["let a = x.lock(); a.push(1); drop(a); self.n.store(2);"],
    );
    is(
        "let a = x.lock()?; y.go()",
        &["let a = x.lock()?; drop(a); y.go()"],
    );
    // The last statement needs it; or does nothing; or it is no guard.
    is("let a = x.lock(); a.push(1);", &[]);
    is("let a = x.lock(); a.push(1); Ok(())", &[]);
    is("let a = x.list(); y.go(); drop(a);", &[]);
    is("let a = x.is_locked(); y.go();", &[]);
}

#[test]
fn locks_are_taken_later_or_not_at_all() {
    let late = "let a = x.lock(); let b = y.get(); a.put(b);";
    assert_eq!(
        results("lock-late", late),
        ["let b = y.get(); let a = x.lock(); a.put(b);"]
    );
    assert!(results("lock-late", "let a = x.lock(); a.put(1);").is_empty());
    let unused = "let _a = x.lock(); y.go();";
    assert_eq!(
        results("guard-unbound", unused),
        ["let _ = x.lock(); y.go();"]
    );
    let dropped = "let a = x.lock(); y.go(); drop(a); z.go();";
    assert_eq!(
        results("guard-unbound", dropped),
        ["let _ = x.lock(); y.go(); z.go();"]
    );
    assert_eq!(
        results("guard-unbound", "let _a = x.counting(); y.go();"),
        ["let _ = x.counting(); y.go();"]
    );
    assert!(results("guard-unbound", "let a = x.lock(); a.go();").is_empty());
}

#[test]
fn neighbours_are_swapped_if_that_is_a_program() {
    let is = |body, wanted: &[&str]| assert_eq!(results("swap", body), wanted);
    is(
        "a.push(1); /* why */ b.wake();",
        &["b.wake(); /* why */ a.push(1);"],
    );
    is("drop(a); b.wake();", &["b.wake(); drop(a);"]);
    is("a.n = 1; b.go();", &["b.go(); a.n = 1;"]);
    is("a.go(); if x { b.go(); }", &["if x { b.go(); } a.go();"]);
    let reads = "let x = self.a.load(O); let y = self.b.load(O);";
    is(reads, &["let y = self.b.load(O); let x = self.a.load(O);"]);
    // One needs what the other binds, or gives it away, or leaves.
    is("let x = self.a.load(O); self.b.put(x);", &[]);
    is("a.go(&x); b.take_all(x);", &[]);
    is("a.go(); if x { b.go(); return; }", &[]);
    // Nobody else sees these, or the order of these.
    is("let mut v = Vec::new(); v.push(1); v.sort();", &[]);
    is("a.x = 1; a.y = 2;", &[]);
}

#[test]
fn counts_are_published_before_and_after() {
    let is = |body, wanted: &[&str]| assert_eq!(results("publish", body), wanted);
    is(
        "let x = b.grab(1); a.n.store(2, O); let y = c;",
        &[
            "a.n.store(2, O); let x = b.grab(1); let y = c;",
            "let x = b.grab(1); let y = c; a.n.store(2, O);",
        ],
    );
    is("let x = b.grab(1); a.n.store(x, O);", &[]);
    // To swap neighbours is another operator; farther away is this one.
    is(
        "b.put(1); let g = c.look(1); a.n.store(2, O);",
        &[
            "b.put(1); a.n.store(2, O); let g = c.look(1);",
            "a.n.store(2, O); b.put(1); let g = c.look(1);",
        ],
    );
    is("let x = b.n; a.m += 1;", &[]);
    is("let x = a.m; a.m += 1;", &["a.m += 1; let x = a.m;"]);
}

#[test]
fn a_drop_returns_early() {
    let text = "impl Drop for X { fn drop(&mut self) { self.a.go(); let b = 1; self.b.go(b) } }";
    let before = "impl Drop for X { fn drop(&mut self) { ";
    let return_ = "if std::hint::black_box(true) { return; }";
    assert_eq!(
        within("drop-return", text, before, " } }"),
        [
            format!("{return_} self.a.go(); let b = 1; self.b.go(b)"),
            format!("self.a.go(); let b = 1; {return_} self.b.go(b)"),
        ]
    );
    let other = text.replace("Drop for X", "X");
    assert!(within("drop-return", &other, "", "").is_empty());
}

#[test]
fn flags_go_to_the_other_branch() {
    let is = |body, wanted: &[&str]| assert_eq!(results("branch", body), wanted);
    is(
        "if x { a.flag = true; b(); } else { c(); }",
        &["if x { b(); } else { a.flag = true; c(); }"],
    );
    is(
        "if x { c(); } else { a.store(0, O); }",
        &["if x { a.store(0, O); c(); } else { }"],
    );
    is(
        "if x { self.key = None; }",
        &["if x { } else { self.key = None; }"],
    );
    is("if x { self.key = y; }", &[]);
}

#[test]
fn conditions_are_turned() {
    let is = |body, wanted: &[&str]| assert_eq!(results("condition", body), wanted);
    is("if a > b { c(); }", &["if !(a > b) { c(); }"]);
    is("while x() {}", &["while !(x()) {}"]);
    is(
        "match x { A if y => {} _ => {} }",
        &["match x { A if !(y) => {} _ => {} }"],
    );
    is(
        "if let Some(x) = y && z { c(); }",
        &["if let Some(x) = y && !(z) { c(); }"],
    );
    is("let x = a == b;", &["let x = a != b;"]);
    is("if cfg!(loom) { c(); }", &[]);
}

#[test]
fn operands_are_left_out() {
    let is = |body, wanted: &[&str]| assert_eq!(results("operand", body), wanted);
    is("let x = a && b;", &["let x = b;", "let x = a;"]);
    is(
        "let x = a || b || c;",
        &["let x = a || b;", "let x = b || c;", "let x = a || c;"],
    );
    is(
        "if let Some(x) = y && z { c(); }",
        &["if let Some(x) = y { c(); }"],
    );
}

#[test]
fn comparisons_are_off_by_one() {
    let body = "let x = (a > b, a >= b, a < b, a <= b, a == b);";
    assert_eq!(
        results("comparison", body),
        [
            "let x = (a >= b, a >= b, a < b, a <= b, a == b);",
            "let x = (a > b, a > b, a < b, a <= b, a == b);",
            "let x = (a > b, a >= b, a <= b, a <= b, a == b);",
            "let x = (a > b, a >= b, a < b, a < b, a == b);",
        ]
    );
}

#[test]
fn literals_are_turned() {
    let is = |body, wanted: &[&str]| assert_eq!(results("literal", body), wanted);
    is("f(true, 1);", &["f(false, 1);"]);
    is("a.f = false;", &["a.f = true;"]);
    is("let x = true;", &[]);
}

#[test]
fn values_are_read_once_more_or_once_less() {
    let body = "let x = self.a.load(O); if x > 1 { f(x); }";
    assert_eq!(
        results("read-again", body),
        ["let x = self.a.load(O); if x > 1 { f(self.a.load(O)); }"]
    );
    let body = "let x = self.a.load(O); g(self.a.load(O), self.b.load(O));";
    assert_eq!(
        results("read-less", body),
        ["let x = self.a.load(O); g(x, self.b.load(O));"]
    );
    assert!(results("read-again", "let x = bytes.len(); f(x);").is_empty());
}

#[test]
fn what_is_not_compiled_here_is_left_alone() {
    let text = "
#[cfg(test)] mod tests { fn f() { if a { b(); } } }
#[cfg(loom)] fn g() { if a { b(); } }
#[cfg(all(unix, not(feature = \"tokio\")))] fn h() { if a { b(); } }
#[cfg(not(loom))] fn i() { if a { b(); } }
#[cfg(any(target_os = \"none\", feature = \"tokio\"))] impl X { fn j() { if a { b(); } } }
trait T { fn k() { #[cfg(loom)] if a { b(); } if c { d(); } } }
";
    let mutants = scan("x.rs", text).unwrap();
    let names: Vec<_> = mutants.iter().map(Mutant::id).collect();
    assert_eq!(
        names,
        [
            "x.rs: i: condition: a turned",
            "x.rs: X::j: condition: a turned",
            "x.rs: T::k: condition: c turned",
        ]
    );
}

#[test]
fn a_name_stays_when_its_function_moves_within_the_file() {
    let (f, g) = (
        "fn f() { if a { return; } if a { c(); } }\n",
        "// More.\n\nfn g() { x.notify(); }\n",
    );
    let ids = |text: &str| {
        let mut ids: Vec<_> = scan("x.rs", text).unwrap().iter().map(Mutant::id).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&format!("{f}{g}")), ids(&format!("{g}\n\n{f}")));
    assert_eq!(
        ids(&format!("{f}{g}")),
        [
            "x.rs: f: condition: a turned #1",
            "x.rs: f: condition: a turned #2",
            "x.rs: g: wake: x.notify() left out",
        ]
    );
}
