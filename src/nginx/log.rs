//! nginx's error log.

use ngx::ffi::{
    NGX_LOG_ALERT, NGX_LOG_CRIT, NGX_LOG_EMERG, NGX_LOG_ERR, NGX_LOG_INFO, NGX_LOG_NOTICE,
    NGX_LOG_WARN, ngx_cycle, ngx_log_error_core, ngx_log_t, ngx_uint_t,
};
use std::fmt::Display;

/// How grave something is that a request has brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// `error`
    Error,
    /// `warn`
    Warn,
    /// `info`
    Info,
}

/// Writes about a request, to the log of its connection: nginx adds the client and the request line.
pub(super) fn about_request(log: *mut ngx_log_t, severity: Severity, text: &impl Display) {
    let level = match severity {
        Severity::Error => NGX_LOG_ERR,
        Severity::Warn => NGX_LOG_WARN,
        Severity::Info => NGX_LOG_INFO,
    };
    if enabled(log, level) {
        write(log, level, &format!("authgate: {text}"));
    }
}

/// Writes an alert of the worker.
pub(crate) fn alert(text: &str) {
    write(cycle_log(), NGX_LOG_ALERT, &format!("authgate: {text}"));
}

/// Writes that something cannot be kept, of the worker.
pub(crate) fn crit(text: &str) {
    write(cycle_log(), NGX_LOG_CRIT, &format!("authgate: {text}"));
}

/// Writes an error of the worker.
pub(crate) fn error(text: &str) {
    write(cycle_log(), NGX_LOG_ERR, &format!("authgate: {text}"));
}

/// Writes for what there was no memory. The text is whole: making one takes memory, too.
pub(super) fn no_memory(text: &'static str) {
    write(cycle_log(), NGX_LOG_ERR, text);
}

/// Writes what a worker has done.
pub(crate) fn notice(text: &str) {
    write(cycle_log(), NGX_LOG_NOTICE, &format!("authgate: {text}"));
}

/// Writes a warning about the configuration.
pub(super) fn conf_warn(log: *mut ngx_log_t, text: &str) {
    write(log, NGX_LOG_WARN, text);
}

/// Writes a warning about what the configuration names, before there are workers.
pub(crate) fn startup_warn(text: &str) {
    conf_warn(cycle_log(), text);
}

/// Writes a mistake in the configuration.
pub(super) fn emerg(log: *mut ngx_log_t, text: &str) {
    write(log, NGX_LOG_EMERG, text);
}

pub(super) fn cycle_log() -> *mut ngx_log_t {
    // SAFETY: nginx sets ngx_cycle before any module is called, and every cycle has a log.
    unsafe { (*ngx_cycle).log }
}

fn enabled(log: *mut ngx_log_t, level: u32) -> bool {
    // SAFETY: a log that nginx hands out is valid as long as its connection or cycle.
    unsafe { (*log).log_level >= level as ngx_uint_t }
}

fn write(log: *mut ngx_log_t, level: u32, text: &str) {
    if enabled(log, level) {
        // SAFETY: "%*s" takes a length and a pointer; nginx copies before it returns.
        unsafe {
            ngx_log_error_core(
                level as ngx_uint_t,
                log,
                0,
                c"%*s".as_ptr(),
                text.len(),
                text.as_ptr(),
            );
        }
    }
}
