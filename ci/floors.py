#!/usr/bin/env python3
"""The import rule and the unsafe rule of `runtime/src`, checked from the table in ARCHITECTURE.md.

    ci/floors.py              check the tree
    ci/floors.py --self-test  plant violations in a temporary copy and see each one reported

The table stands under the heading `## Floors` and has at least these columns, found by name:

    | floor | module | unsafe |
    |---|---|---|
    | 0 | base | yes |
    | 5 | park | `list.rs` |
    | 7 | timer, reactor, blocking | no |
    | 15 | lib | no |

`module` may name several siblings. `unsafe` is `yes` (every file of the module may hold unsafe code), `no`, or, in a
row of one module, the files that may, relative to the module's directory. Files and directories named `sys_*` always may. `lib` is lib.rs.

Rules:
1. Code of a module names only modules of lower floors and itself: not a sibling, not a higher floor, not the crate's
   root (the façade re-exports; the module that defines the item is to be named). `use` trees and plain paths count,
   through `crate::` and through `super::`; what a macro takes from the façade by `$crate::`, comments, strings and `#[cfg(test)]` items do not.
2. A file has `#![forbid(unsafe_code)]` or is allowed unsafe code by the table. In lib.rs that attribute would cover
   the whole crate, and in a mod.rs all its files, so these must contain no `unsafe` instead.
3. Every module has a row, and every row a module.

It does not see paths made by macros from other crates, nor methods called on a value of another module's type.
"""

import os
import pathlib
import re
import shutil
import sys
import tempfile

TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<comment>//[^\n]*)
      | (?P<raw>\b(?:r|br|cr)(?P<hashes>\#*)".*?"(?P=hashes))
      | (?P<string>\b[bc]?"(?:\\.|[^"\\])*"|"(?:\\.|[^"\\])*")
      | (?P<char>\bb?'(?:\\u\{[^}]*\}|\\x..|\\.|[^\\'\n])'|'(?:\\u\{[^}]*\}|\\x..|\\.|[^\\'\n])')
      | (?P<lifetime>'[^\W\d]\w*)
      | (?P<ident>(?:r\#)?[^\W\d]\w*)
      | (?P<number>\d\w*)
      | (?P<punct>::|.)""",
    re.VERBOSE | re.DOTALL,
)

# An attribute may stand before a struct field, a match arm or an argument, which ends at a comma; an item does not.
ITEM_WORDS = set("mod fn impl struct enum union trait use pub const static type unsafe extern async macro_rules".split())

HEADING = "## Floors"


class Bad(Exception):
    """The check cannot be made: no table, no file, a malformed row."""


# --- the source ---------------------------------------------------------------------------------------------------


def tokens(text):
    """(kind, text, line) of each token, without white space and comments. Block comments nest."""
    out, at, line = [], 0, 1
    while at < len(text):
        if text.startswith("/*", at):
            depth, end = 1, at + 2
            while depth and end < len(text):
                if text.startswith("/*", end):
                    depth, end = depth + 1, end + 2
                elif text.startswith("*/", end):
                    depth, end = depth - 1, end + 2
                else:
                    end += 1
            line += text.count("\n", at, end)
            at = end
            continue
        found = TOKEN.match(text, at)
        kind, body = found.lastgroup, found.group()
        if kind not in ("space", "comment"):
            out.append((kind, body, line))
        line += body.count("\n")
        at = found.end()
    return out


def closing(toks, at):
    """Index of the bracket that closes the one at `at`."""
    depth = 0
    for i in range(at, len(toks)):
        if toks[i][0] == "punct":
            if toks[i][1] in "([{":
                depth += 1
            elif toks[i][1] in ")]}":
                depth -= 1
                if depth == 0:
                    return i
    return len(toks) - 1


def only_in_tests(words):
    """Whether the predicate of `cfg(...)`, as a list of token texts, holds in tests alone."""
    if words == ["test"]:
        return True
    if len(words) < 3 or words[:2] != ["all", "("] or words[-1] != ")":
        return False
    part, depth = [], 0
    for word in words[2:-1] + [","]:
        depth += {"(": 1, ")": -1}.get(word, 0)
        if word == "," and depth == 0:
            if only_in_tests(part):
                return True
            part = []
        else:
            part.append(word)
    return False


def item_end(toks, at):
    """Index after the item, field or arm that starts at `at`."""
    while at + 1 < len(toks) and toks[at][1] == "#" and toks[at + 1][1] == "[":
        at = closing(toks, at + 1) + 1
    commas = at < len(toks) and toks[at][1] not in ITEM_WORDS
    while at < len(toks):
        text = toks[at][1] if toks[at][0] == "punct" else ""
        if text == ";" or (text == "," and commas):
            return at + 1
        if text and text in ")]}":
            return at
        if text == "{":
            return closing(toks, at) + 1
        at = closing(toks, at) + 1 if text and text in "([" else at + 1
    return at


class Source:
    """What one file says: the paths it names, whether it forbids unsafe code, which test files it declares."""

    def __init__(self, text, module_path):
        self.paths = []  # (line, absolute segments, is a macro call)
        self.test_modules = []  # names declared by `#[cfg(test)] mod name;`
        self.macros = set()
        self.forbids = False
        self.only_tests = False
        self.uses_unsafe = False
        self._read(tokens(text), list(module_path))

    def _read(self, toks, here):
        i, scopes = 0, []  # scopes: the name of the inline module each open brace belongs to, or None
        while i < len(toks):
            kind, text, line = toks[i]
            after = [t[1] for t in toks[i + 1 : i + 4]]
            base = here + [name for name in scopes if name]
            if text == "#" and after[:1] == ["["]:
                end = closing(toks, i + 1)
                words = [t[1] for t in toks[i + 2 : end]]
                i = end + 1
                if words[:2] == ["cfg", "("] and only_in_tests(words[2:-1]):
                    stop = item_end(toks, i)
                    self._declared(toks[i:stop])
                    i = stop
            elif text == "#" and after[:2] == ["!", "["]:
                end = closing(toks, i + 2)
                words = [t[1] for t in toks[i + 3 : end]]
                if words[:1] == ["forbid"] and "unsafe_code" in words:
                    self.forbids = True
                if words[:2] == ["cfg", "("] and only_in_tests(words[2:-1]):
                    self.only_tests = True
                i = end + 1
            elif kind == "ident" and text == "macro_rules" and after[:1] == ["!"]:
                self.macros.add(after[1])
                i += 3
            elif kind == "ident" and text == "mod" and after[1:2] == ["{"]:
                scopes.append(after[0])
                i += 3
            elif text == "{" and kind == "punct":
                scopes.append(None)
                i += 1
            elif text == "}" and kind == "punct":
                if scopes:
                    scopes.pop()
                i += 1
            elif kind == "ident" and text == "use" and toks[i - 1][1] != "::":
                trees, i = use_tree(toks, i + 1, [])
                for where, path in trees:
                    self._name(where, path, base, False)
            elif kind == "ident" and text in ("crate", "super", "self") and after[:1] == ["::"]:
                # After `$crate` it is the user's crate that names the façade.
                by_users = toks[i - 1][1] == "$"
                path, i = plain_path(toks, i)
                called = by_users or (
                    i < len(toks) and toks[i][1] == "!" and toks[i + 1 : i + 2] and toks[i + 1][1] != "="
                )
                self._name(line, path, base, called)
            else:
                self.uses_unsafe |= kind == "ident" and text == "unsafe"
                i += 1

    def _declared(self, item):
        for at, (_, text, _) in enumerate(item[:-2]):
            if text == "mod" and item[at + 2][1] == ";":
                self.test_modules.append(item[at + 1][1])

    def _name(self, line, path, base, called):
        """Keeps `path` as an absolute one, if it is one of this crate's."""
        if path[0] == "crate":
            self.paths.append((line, path[1:], called))
            return
        if path[0] not in ("self", "super"):
            return
        base, path = list(base), list(path)
        while path and path[0] in ("self", "super"):
            if path.pop(0) == "super" and base:
                base.pop()
        self.paths.append((line, base + path, called))


def plain_path(toks, i):
    """The path that starts at `i`, and the index after it."""
    path = [toks[i][1]]
    i += 1
    while i + 1 < len(toks) and toks[i][1] == "::" and toks[i + 1][0] == "ident":
        path.append(toks[i + 1][1])
        i += 2
    return path, i


def use_tree(toks, i, prefix):
    """Every (line, path) of the `use` tree at `i`, and the index after it. A path from another crate starts with ''."""
    path, out = list(prefix), []
    if toks[i][1] == "::":
        path, i = [""], i + 1
    line = toks[i][2]
    while i < len(toks):
        kind, text, _ = toks[i]
        if text == "{":
            i += 1
            while i < len(toks) and toks[i][1] != "}":
                inner, i = use_tree(toks, i, path)
                out += inner
                if i < len(toks) and toks[i][1] == ",":
                    i += 1
            return out, i + 1
        if kind != "ident" and text != "*":
            break
        # `self` at the end of a group is the prefix itself.
        if not (text == "self" and path):
            path.append(text)
        i += 1
        if i < len(toks) and toks[i][1] == "::":
            i += 1
            continue
        if i < len(toks) and toks[i][1] == "as":
            i += 2
        break
    # A token that cannot start a tree must still be passed, or a malformed file would be read for ever.
    return ([(line, path)] if path else []), (i if path != prefix else i + 1)


# --- the table ----------------------------------------------------------------------------------------------------


class Row:
    def __init__(self, floor, allowed):
        self.floor = floor
        self.allowed = allowed  # True, or the files that may hold unsafe code


def floor_table(text):
    """Module name -> Row, from the first table under the heading."""
    lines = text.splitlines()
    if HEADING not in (line.strip() for line in lines):
        raise Bad(f"ARCHITECTURE.md has no heading '{HEADING}'")
    start = [line.strip() for line in lines].index(HEADING) + 1
    rows, columns = {}, None
    for number, line in enumerate(lines[start:], start + 1):
        if not line.lstrip().startswith("|"):
            if columns:
                break
            if line.startswith("#"):
                break
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if columns is None:
            columns = {name.lower(): at for at, name in enumerate(cells)}
            missing = [name for name in ("floor", "module", "unsafe") if name not in columns]
            if missing:
                raise Bad(f"ARCHITECTURE.md:{number}: the floors table has no column {', '.join(missing)}")
            continue
        if set(line) <= set("|-: \t"):
            continue
        if len(cells) < len(columns):
            raise Bad(f"ARCHITECTURE.md:{number}: a row with {len(cells)} of {len(columns)} cells")
        floor, names, unsafe = (cells[columns[name]] for name in ("floor", "module", "unsafe"))
        if not floor.isdigit():
            raise Bad(f"ARCHITECTURE.md:{number}: '{floor}' is not a floor number")
        allowed = unsafe.replace("`", " ").replace(",", " ").split()
        if allowed == ["yes"]:
            allowed = True
        elif allowed in ([], ["no"], ["-"], ["–"]):
            allowed = []
        for name in names.replace("`", " ").replace(",", " ").split():
            name = name.rstrip("/")
            if name in rows:
                raise Bad(f"ARCHITECTURE.md:{number}: module '{name}' has two rows")
            rows[name] = Row(int(floor), allowed)
    if not rows:
        raise Bad(f"ARCHITECTURE.md has no table under '{HEADING}'")
    return rows


# --- the check ----------------------------------------------------------------------------------------------------


def module_path(relative):
    """The module path of a file, by its place in runtime/src: `net/tcp.rs` is net::tcp, `net/mod.rs` is net."""
    parts = list(relative.with_suffix("").parts)
    if parts[-1] == "mod" or parts == ["lib"]:
        parts.pop()
    return parts


def sources_of(root):
    """(relative path -> Source, the paths compiled for tests alone) of the tree at `root`."""
    src = root / "runtime" / "src"
    sources = {}
    for file in sorted(src.rglob("*.rs")):
        relative = file.relative_to(src)
        sources[relative] = Source(file.read_text(encoding="utf-8"), module_path(relative))
    if not sources:
        raise Bad(f"no source file under {src}")
    declared = [module_path(rel) + [name] for rel, source in sources.items() for name in source.test_modules]
    tests = {
        relative
        for relative, source in sources.items()
        if source.only_tests or any(module_path(relative)[: len(path)] == path for path in declared)
    }
    return sources, tests


def check(root):
    """(problems, files, paths) of the tree at `root`."""
    table = floor_table((root / "ARCHITECTURE.md").read_text(encoding="utf-8"))
    sources, tests = sources_of(root)
    macros = set().union(*(source.macros for source in sources.values()))
    modules = {(module_path(relative) or ["lib"])[0] for relative in sources}

    problems, paths = [], 0
    for name in sorted(modules - table.keys()):
        problems.append(f"ARCHITECTURE.md: module '{name}' of runtime/src has no row in the floors table")
    for name in sorted(table.keys() - modules):
        problems.append(f"ARCHITECTURE.md: the floors table names '{name}', which runtime/src does not have")
    for relative, source in sources.items():
        where = f"runtime/src/{relative.as_posix()}"
        own = (module_path(relative) or ["lib"])[0]
        row = table.get(own)
        problems += unsafe_problems(where, relative, source, row)
        if row is None or relative in tests:
            continue
        for line, path, called in source.paths:
            paths += 1
            target = path[0] if path else "*"
            if target == own or own == "lib" or target in macros or called and target not in modules:
                continue
            if target not in table and target in modules:
                continue  # said above
            if target not in table:
                problems.append(f"{where}:{line}: '{own}' names the façade's '{target}', not the module that defines it")
            elif table[target].floor == row.floor:
                problems.append(f"{where}:{line}: '{own}' imports its sibling '{target}' (both on floor {row.floor})")
            elif table[target].floor > row.floor:
                problems.append(
                    f"{where}:{line}: '{own}' (floor {row.floor}) imports '{target}' (floor {table[target].floor})"
                )
    for name, row in table.items():
        for file in row.allowed if row.allowed is not True else []:
            if name in modules and not any(rel.as_posix() in (f"{name}/{file}", file) for rel in sources):
                problems.append(f"ARCHITECTURE.md: '{name}' has no file '{file}' to allow unsafe code in")
    return list(dict.fromkeys(problems)), len(sources), paths


def unsafe_problems(where, relative, source, row):
    if relative.as_posix() == "lib.rs":
        return [f"{where}: the façade holds unsafe code"] if source.uses_unsafe else []
    if source.forbids or any(part.startswith("sys_") for part in relative.parts):
        return []
    if row is not None and row.allowed is not True:
        inside = relative.relative_to(relative.parts[0]) if len(relative.parts) > 1 else relative
        # A mod.rs above files that hold unsafe code cannot carry the attribute, which would cover them; it must be
        # without unsafe code itself.
        if relative.name == "mod.rs" and not source.uses_unsafe:
            return []
        if inside.as_posix() not in row.allowed:
            return [f"{where}:1: no `#![forbid(unsafe_code)]`, and the floors table does not allow unsafe code here"]
    return []


# --- the self-test ------------------------------------------------------------------------------------------------

FIXTURE_TABLE = """# Architecture

## Floors

| floor | module | holds | unsafe |
|---|---|---|---|
| 0 | `base/` | words | yes |
| 1 | `park` | waits | `list.rs` |
| 1 | timer, clock/ | time | no |
| 2 | net | sockets | no |
| 3 | lib | the façade | no |
"""

FORBID = "#![forbid(unsafe_code)]\n"

# Each must pass: (file, text).
FIXTURE_CLEAN = {
    "lib.rs": "//! Doc.\nmod base;\nmod net;\nmod park;\nmod timer;\npub use net::Tcp;\npub use crate::park::park;\n",
    "base/mod.rs": "//! use crate::net::Tcp;\nmacro_rules! helper { () => { $crate::Tcp } }\npub struct Word;\npub mod list;\n",
    "base/list.rs": "use super::Word;\n/* use crate::net::Tcp; /* nested */ crate::net */\npub struct List(Word);\n",
    "park/mod.rs": FORBID
    + 'use crate::base::{Word, list::{self, List}};\nmod list;\nconst TEXT: &str = "crate::net";\n'
    + "const RAW: &str = r#\"use crate::net; \"crate::net\"\"#;\nconst QUOTE: char = '\"';\nfn f<'a>(_: &'a u8) {}\n"
    + "#[cfg(test)]\nmod tests;\n#[cfg(all(test, not(loom)))]\nmod more { use crate::net::Tcp; }\n"
    + "struct S { #[cfg(test)] field: crate::net::Tcp, other: u8 }\nfn g() { crate::helper!(); }\n",
    "park/list.rs": "use super::super::base::Word;\nuse crate::helper;\npub unsafe fn f() {}\n",
    "park/tests.rs": FORBID + "use crate::net::Tcp;\n",
    "timer.rs": FORBID + "pub mod inner { use super::super::base::Word; pub(in crate::timer) struct A(Word); }\n",
    "clock.rs": FORBID + "#![cfg(test)]\nuse crate::net::Tcp;\n",
    "net/mod.rs": FORBID + "use crate::{base::Word, park, timer::inner};\nuse ::std::net;\n",
    "net/sys_linux.rs": "pub unsafe fn f() {}\n",
}

# Each must be reported: (file, text put at its end, what the report must say).
FIXTURE_PLANTS = [
    ("base/list.rs", "use crate::net::Tcp;", "'base' (floor 0) imports 'net' (floor 2)"),
    ("park/mod.rs", "use crate::{base::Word, timer::inner};", "imports its sibling 'timer'"),
    ("park/mod.rs", "use crate::{\n    base::{self, Word},\n    net::{Tcp, Udp},\n};", "imports 'net'"),
    ("timer.rs", "fn f() -> crate::net::Tcp { loop {} }", "imports 'net'"),
    ("timer.rs", "mod deep { fn f() { super::super::park::park() } }", "imports its sibling 'park'"),
    ("park/list.rs", "use super::{super::net::Tcp, mod_item};", "imports 'net'"),
    ("park/list.rs", "use super::super::{base::Word, timer};", "imports its sibling 'timer'"),
    ("base/mod.rs", "macro_rules! m { () => { $crate::net::Tcp } }", "imports 'net'"),
    ("net/mod.rs", "use crate::Tcp;", "names the façade's 'Tcp'"),
    ("net/mod.rs", "use crate::*;", "names the façade's '*'"),
    ("base/mod.rs", "#[cfg(not(test))]\nuse crate::net::Tcp;", "imports 'net'"),
    ("base/mod.rs", "#[cfg(any(test, unix))]\nuse crate::net::Tcp;", "imports 'net'"),
    ("net/udp.rs", "pub fn f() {}", "no `#![forbid(unsafe_code)]`"),
    ("net/udp.rs", "// #![forbid(unsafe_code)]", "no `#![forbid(unsafe_code)]`"),
    ("lib.rs", "unsafe extern \"C\" {}", "the façade holds unsafe code"),
    ("dns.rs", FORBID, "module 'dns' of runtime/src has no row"),
]


def write_tree(root, table, files):
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for name, text in files.items():
        file = root / "runtime" / "src" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    (root / "ARCHITECTURE.md").write_text(table, encoding="utf-8")


def self_test(repository):
    failed = passed = 0

    def expect(what, good):
        nonlocal failed, passed
        passed, failed = (passed + 1, failed) if good else (passed, failed + 1)
        print(f"{'ok  ' if good else 'FAIL'} {what}")

    with tempfile.TemporaryDirectory() as scratch:
        root = pathlib.Path(scratch) / "tree"
        write_tree(root, FIXTURE_TABLE, FIXTURE_CLEAN)
        problems, _, paths = check(root)
        for problem in problems:
            print(f"     {problem}")
        expect(f"a clean tree is clean ({paths} paths)", not problems and paths > 0)
        for name, text, wanted in FIXTURE_PLANTS:
            planted = FIXTURE_CLEAN.get(name, "") + text
            write_tree(root, FIXTURE_TABLE, {**FIXTURE_CLEAN, name: planted})
            problems, _, _ = check(root)
            found = [p for p in problems if wanted in p]
            lines = [p for p in found if p.startswith(f"runtime/src/{name}") or p.startswith("ARCHITECTURE.md")]
            expect(f"{name}: {text.strip().splitlines()[0][:50]} -> {(lines or ['not reported'])[0]}", bool(lines))
        write_tree(root, FIXTURE_TABLE + "| 9 | gone | nothing | no |\n", FIXTURE_CLEAN)
        expect("a row without a module is reported", any("'gone'" in p for p in check(root)[0]))
        for what, table, files in [
            ("a tree without files is refused", FIXTURE_TABLE, {}),
            ("a missing table is refused", "# Architecture\n", FIXTURE_CLEAN),
            ("a table without the unsafe column is refused", "## Floors\n\n| floor | module |\n|---|---|\n", FIXTURE_CLEAN),
        ]:
            write_tree(root, table, files)
            try:
                check(root)
                expect(what, False)
            except Bad:
                expect(what, True)

        # The same in a copy of the real tree: every file below the top in turn imports the top floor.
        real_table = floor_table((repository / "ARCHITECTURE.md").read_text(encoding="utf-8"))
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(repository / "runtime" / "src", root / "runtime" / "src")
        shutil.copy(repository / "ARCHITECTURE.md", root / "ARCHITECTURE.md")
        top = max((name for name in real_table if name != "lib"), key=lambda name: real_table[name].floor, default="lib")
        before = set(check(root)[0])
        sources, tests = sources_of(root)
        planted = set()
        for relative in sources.keys() - tests:
            own = (module_path(relative) or ["lib"])[0]
            if own in real_table and real_table[own].floor < real_table[top].floor:
                file = root / "runtime" / "src" / relative
                file.write_text(f"{file.read_text(encoding='utf-8')}\nuse crate::{top}::Planted;\n", encoding="utf-8")
                planted.add(f"runtime/src/{relative.as_posix()}")
        new = [p for p in check(root)[0] if p not in before and f"imports '{top}'" in p]
        reported = {p.split(":", 1)[0] for p in new}
        expect(
            f"planted in {len(planted)} files of a copy of this tree, reported in {len(planted & reported)}",
            bool(planted) and planted <= reported,
        )
    return close(passed, failed)


def close(passed, failed):
    """The closing line, left in the file $CI_TALLY too, and the exit status."""
    line = f"{passed} passed, {failed} failed"
    if os.environ.get("CI_TALLY"):
        pathlib.Path(os.environ["CI_TALLY"]).write_text(line + "\n", encoding="utf-8")
    print(line)
    return 1 if failed or not passed else 0


def main():
    repository = pathlib.Path(__file__).resolve().parent.parent
    if sys.argv[1:] == ["--self-test"]:
        return self_test(repository)
    if sys.argv[1:]:
        print("usage: ci/floors.py [--self-test]", file=sys.stderr)
        return 2
    problems, files, paths = check(repository)
    for problem in problems:
        print(problem)
    print(f"floors: {files} files, {paths} paths read, {len(problems)} problems")
    bad = len({p.split(":", 1)[0] for p in problems})
    return close(files - bad, bad)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Bad, OSError) as error:
        print(f"floors: {error}", file=sys.stderr)
        sys.exit(1)
