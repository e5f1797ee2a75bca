# shellcheck shell=sh disable=SC2154
# Read by nginx's ./configure when it writes the Makefile: how the modules of ./config are built.

case $NGX_OBJS in
/*) authgate_build_dir=$NGX_OBJS ;;
*) authgate_build_dir=$PWD/$NGX_OBJS ;;
esac

# Without a change in these cargo does not run, so that "make install" needs none.
authgate_sources=$(find "$ngx_addon_dir/Cargo.toml" "$ngx_addon_dir/Cargo.lock" "$ngx_addon_dir/build.rs" \
    "$ngx_addon_dir/src" "$ngx_addon_dir/crates" -type f ! -path '*/tests/*' | tr '\n' ' ')

cat <<END >>"$NGX_MAKEFILE"

$authgate_lib:	$authgate_sources
	NGINX_SOURCE_DIR="$PWD" NGINX_BUILD_DIR="$authgate_build_dir" \\
	$authgate_cargo rustc --manifest-path "$ngx_addon_dir/Cargo.toml" --package authgate --locked --release \\
		--crate-type staticlib --no-default-features --target-dir "$authgate_target"
	touch $authgate_lib

$NGX_OBJS/ngx_http_authgate_module.so:	$authgate_lib
END
