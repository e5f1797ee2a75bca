/*
 * What nginx keeps of a request and of a connection in single bits. They are left to a C compiler: bindgen 0.72, which
 * nginx-sys is built with, reckons the places of bits wrong that begin behind a field of two bytes, and in nginx 1.30
 * they do.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <stdbool.h>

void
authgate_read_unbuffered(ngx_http_request_t *r)
{
    r->request_body_no_buffering = 1;
    r->request_body_in_file_only = 0;
}

bool
authgate_is_reading_body(ngx_http_request_t *r)
{
    return r->reading_body;
}

void
authgate_send_whole(ngx_http_request_t *r)
{
    r->allow_ranges = 0;
    r->disable_not_modified = 1;
}

bool
authgate_is_header_only(ngx_http_request_t *r)
{
    return r->header_only;
}

bool
authgate_is_header_sent(ngx_http_request_t *r)
{
    return r->header_sent;
}

bool
authgate_may_redirect_to_error_page(ngx_http_request_t *r)
{
    return !r->error_page && r->uri_changes != 0;
}

bool
authgate_has_write_failed(ngx_connection_t *c)
{
    return c->write->error;
}

bool
authgate_mark_to_close(ngx_connection_t *c)
{
    if (c->close) {
        return false;
    }

    c->close = 1;
    c->error = 1;
    return true;
}
