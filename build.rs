//! Hands nginx's build-time features on to the module, as `cfg(ngx_feature = "…")` and version cfgs, and
//! compiles bits.c.

/// nginx versions whose structures differ for us.
const VERSIONS: &[(u64, &str)] = &[
    // headers_in.cookies (array) became headers_in.cookie (linked list)
    (1_023_000, "nginx1_23"),
];

fn main() {
    // nginx unloads modules after a failed `nginx -t` or reload; dlclose of a Rust library can crash.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    pass_on("DEP_NGINX_FEATURES", "ngx_feature");
    pass_on("DEP_NGINX_OS", "ngx_os");
    compile_c();
    let version = variable("DEP_NGINX_VERSION_NUMBER");
    println!("cargo::rerun-if-env-changed=DEP_NGINX_VERSION_NUMBER");
    for (since, cfg) in VERSIONS {
        println!("cargo::rustc-check-cfg=cfg({cfg})");
        if version.parse::<u64>().is_ok_and(|version| version >= *since) {
            println!("cargo::rustc-cfg={cfg}");
        }
    }
}

/// What only a C compiler knows of nginx's structures.
fn compile_c() {
    const SOURCE: &str = "src/nginx/bits.c";
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-env-changed=DEP_NGINX_INCLUDE");
    println!("cargo::rerun-if-env-changed=DEP_NGINX_CFLAGS");
    let mut build = cc::Build::new();
    build.file(SOURCE).includes(std::env::split_paths(&variable("DEP_NGINX_INCLUDE")));
    for define in variable("DEP_NGINX_CFLAGS").split_whitespace() {
        build.flag(define);
    }
    build.compile("authgate_bits");
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

fn pass_on(variable: &str, cfg: &str) {
    println!("cargo::rerun-if-env-changed={variable}");
    let check = std::env::var(format!("{variable}_CHECK")).unwrap_or("any()".into());
    println!("cargo::rustc-check-cfg=cfg({cfg}, values({check}))");
    for value in self::variable(variable).split(',') {
        println!("cargo::rustc-cfg={cfg}=\"{}\"", value.trim());
    }
}
