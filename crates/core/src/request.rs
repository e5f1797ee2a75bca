//! The head of a request, as the gate sees it: borrowed, nothing decoded twice.

use crate::hosts::Hosts;
use crate::network::Network;

/// A method, as far as the gate tells them apart (RFC 9110, section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `DELETE`
    Delete,
    /// Any other, known or not.
    Other,
}

/// A scheme (RFC 9110, section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
}

impl Scheme {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl Method {
    /// The method of this name.
    pub fn named(name: &[u8]) -> Self {
        match name {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"POST" => Self::Post,
            b"DELETE" => Self::Delete,
            _ => Self::Other,
        }
    }
}

/// Looks a header field up by its lower-case name: the first line of that name, without
/// surrounding white space. Only fields that decide nothing about identity are read through it.
/// `early-data` says of the server's own TLS, too, what it says of a proxy's (RFC 8470).
pub type Fields<'a> = &'a dyn Fn(&str) -> Option<&'a [u8]>;

/// What the gate reads of a request.
#[derive(Clone, Copy)]
pub struct RequestHead<'a> {
    /// The method.
    pub method: Method,
    /// The method as the client sent it.
    pub method_name: &'a [u8],
    /// The request target's path and query as the client sent them, before any rewrite; `None`
    /// where it is not known: another proxy asks and does not say for what.
    pub target: Option<&'a [u8]>,
    /// The query, without the `?`, as the client sent it.
    pub query: &'a [u8],
    /// `host[:port]` that the client asked, as it wrote it; `None` where it is not known.
    pub host: Option<&'a [u8]>,
    /// The scheme that the client asked by, where another proxy tells it; `None`: the connection tells.
    pub scheme: Option<Scheme>,
    /// The names of the server.
    pub server_names: &'a Hosts,
    /// The network that the client belongs to.
    pub network: Network,
    /// Whether the connection is TLS.
    pub tls: bool,
    /// The values of all `Cookie` lines, in order.
    pub cookies: &'a [&'a [u8]],
    /// The value of the `Authorization` line.
    pub authorization: Option<&'a [u8]>,
    /// Every other field.
    pub fields: Fields<'a>,
}
