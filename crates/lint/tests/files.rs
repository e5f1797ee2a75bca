//! What `nginx -T` prints, and `include`.

#![allow(clippy::unwrap_used, reason = "test helpers outside of test functions")]

use authgate_lint::files::{File, ReadError, files_of_dump, named, read};
use authgate_lint::syntax::Directive;

fn file(name: &str, text: &str) -> File {
    File { name: name.into(), text: text.into() }
}

/// `name@file:line` of every directive.
fn lines(directives: &[Directive]) -> Vec<String> {
    let inner = |it: &Directive| it.block.as_deref().map(lines).unwrap_or_default();
    let own = |it: &Directive| vec![format!("{}@{}", it.name, it.place)];
    directives.iter().flat_map(|it| [own(it), inner(it)].concat()).collect()
}

fn read_all(files: &[File]) -> Result<Vec<String>, ReadError> {
    let mut find = |name: &str| named(files, name).into_iter().cloned().collect();
    read(files.first().unwrap(), &mut find).map(|directives| lines(&directives))
}

const DUMP: &str = "nginx: the configuration file /etc/nginx/nginx.conf syntax is ok
nginx: configuration file /etc/nginx/nginx.conf test is successful
# configuration file /etc/nginx/nginx.conf:
http {
    include mime.types;
    include /etc/nginx/conf.d/*.conf;
}

# configuration file /etc/nginx/mime.types:
types { }

# configuration file /etc/nginx/conf.d/b.conf:
# a comment
server { listen 80; }

# configuration file /etc/nginx/conf.d/a.conf:
server { listen 81; }
";

#[test]
fn a_dump_is_taken_apart_and_put_together() {
    let files = files_of_dump(DUMP);
    let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
    let folder = "/etc/nginx/conf.d";
    assert_eq!(names[..2], ["/etc/nginx/nginx.conf", "/etc/nginx/mime.types"]);
    assert_eq!(names[2..], [format!("{folder}/b.conf"), format!("{folder}/a.conf")]);
    assert_eq!(
        read_all(&files).unwrap(),
        [
            "http@/etc/nginx/nginx.conf:1",
            "types@/etc/nginx/mime.types:1",
            "server@/etc/nginx/conf.d/a.conf:1",
            "listen@/etc/nginx/conf.d/a.conf:1",
            "server@/etc/nginx/conf.d/b.conf:2",
            "listen@/etc/nginx/conf.d/b.conf:2",
        ]
    );
}

#[test]
fn what_is_no_dump_is_a_configuration() {
    assert_eq!(files_of_dump("http { }\n# configuration file /x:\n"), []);
    assert_eq!(files_of_dump("# a comment\nhttp { }\n"), []);
    assert_eq!(files_of_dump(""), []);
    assert_eq!(files_of_dump("# configuration file /x:\n"), [file("/x", "")]);
    let crlf = "# configuration file /x:\r\na;\r\n";
    assert_eq!(files_of_dump(crlf), [file("/x", "a;\r\n")]);
}

#[test]
fn patterns_find_what_nginx_finds() {
    let names = ["/d/a.conf", "/d/b.conf", "/d/.c.conf", "/d/e/f.conf", "/d/[x]", "/d/b.txt"];
    let files: Vec<_> = names.iter().map(|name| file(name, "")).collect();
    let found = |name: &str| {
        named(&files, name).into_iter().map(|file| file.name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(found("/d/*.conf"), ["/d/a.conf", "/d/b.conf"]);
    assert_eq!(found("/d/[ab].conf"), ["/d/a.conf", "/d/b.conf"]);
    assert_eq!(found("/d/?.txt"), ["/d/b.txt"]);
    assert_eq!(found("/d/*/*.conf"), ["/d/e/f.conf"]);
    assert_eq!(found("/d/a.conf"), ["/d/a.conf"]);
    assert_eq!(found("/d/.c.conf"), ["/d/.c.conf"]);
    assert_eq!(found("/d/none"), [""; 0]);
}

#[test]
fn includes_within_includes_and_relative_to_the_main_file() {
    let files = [
        file("/n/nginx.conf", "include a/b;"),
        file("/n/a/b", "x { include c; }"),
        file("/n/c", "y;"),
    ];
    assert_eq!(read_all(&files).unwrap(), ["x@/n/a/b:1", "y@/n/c:1"]);
    let here = [file("nginx.conf", "include b;"), file("b", "x;")];
    assert_eq!(read_all(&here).unwrap(), ["x@b:1"]);
}

#[test]
fn one_file_may_be_included_twice() {
    let files = [file("/m", "a { include i; } b { include i; }"), file("/i", "x;")];
    assert_eq!(read_all(&files).unwrap(), ["a@/m:1", "x@/i:1", "b@/m:1", "x@/i:1"]);
}

#[test]
fn what_cannot_be_read() {
    let missing = read_all(&[file("/m", "a;\ninclude none;")]).unwrap_err();
    assert_eq!(missing.to_string(), "/m:2: \"/none\" cannot be read");
    assert_eq!(read_all(&[file("/m", "include none/*.conf; a;")]).unwrap(), ["a@/m:1"]);
    let cycle = read_all(&[file("/m", "include b;"), file("/b", "\ninclude m;")]).unwrap_err();
    assert_eq!(cycle.to_string(), "/b:2: \"/m\" includes itself");
    let mistake = read_all(&[file("/m", "include b;"), file("/b", "a;\n}")]).unwrap_err();
    assert_eq!(mistake.to_string(), "/b:2: unexpected \"}\"");
}
