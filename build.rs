//! Hands nginx's build-time features on to the module, as `cfg(ngx_feature = "…")` and version cfgs.

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
    let version = std::env::var("DEP_NGINX_VERSION_NUMBER").unwrap_or_default();
    println!("cargo::rerun-if-env-changed=DEP_NGINX_VERSION_NUMBER");
    for (since, cfg) in VERSIONS {
        println!("cargo::rustc-check-cfg=cfg({cfg})");
        if version.parse::<u64>().is_ok_and(|version| version >= *since) {
            println!("cargo::rustc-cfg={cfg}");
        }
    }
}

fn pass_on(variable: &str, cfg: &str) {
    println!("cargo::rerun-if-env-changed={variable}");
    let check = std::env::var(format!("{variable}_CHECK")).unwrap_or("any()".into());
    println!("cargo::rustc-check-cfg=cfg({cfg}, values({check}))");
    for value in std::env::var(variable).unwrap_or_default().split(',') {
        println!("cargo::rustc-cfg={cfg}=\"{}\"", value.trim());
    }
}
