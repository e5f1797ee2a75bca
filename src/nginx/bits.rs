//! The bits of a request and of a connection, by way of bits.c: the accessors that nginx-sys has for them are not to be used.
//!
//! Every function here wants a live request or connection.

use ngx::ffi::{ngx_connection_t, ngx_http_request_t};

unsafe extern "C" {
    /// The body goes to who reads it as it comes, and never into a file.
    #[link_name = "authgate_read_unbuffered"]
    pub(super) fn read_unbuffered(r: *mut ngx_http_request_t);

    #[link_name = "authgate_is_reading_body"]
    pub(super) fn is_reading_body(r: *mut ngx_http_request_t) -> bool;

    /// The response is neither cut to a range nor answered with 304.
    #[link_name = "authgate_send_whole"]
    pub(super) fn send_whole(r: *mut ngx_http_request_t);

    #[link_name = "authgate_is_header_only"]
    pub(super) fn is_header_only(r: *mut ngx_http_request_t) -> bool;

    #[link_name = "authgate_is_header_sent"]
    pub(super) fn is_header_sent(r: *mut ngx_http_request_t) -> bool;

    /// Whether nothing more can be written, or nobody wants it.
    #[link_name = "authgate_has_write_failed"]
    pub(super) fn has_write_failed(c: *mut ngx_connection_t) -> bool;

    /// Has the connection's read handler end its request, as when `worker_shutdown_timeout` is over.
    /// False where that was said before.
    #[link_name = "authgate_mark_to_close"]
    pub(super) fn mark_to_close(c: *mut ngx_connection_t) -> bool;

    /// Whether nginx would take an `error_page` now.
    #[link_name = "authgate_may_redirect_to_error_page"]
    pub(super) fn may_redirect_to_error_page(r: *mut ngx_http_request_t) -> bool;
}
