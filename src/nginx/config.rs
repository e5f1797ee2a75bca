//! nginx's configuration while it is read, as the module's directives see it.

use super::carried::{self, Carried};
use super::entry::guard;
use super::log;
use super::text::bytes;
use ngx::core::{NGX_CONF_ERROR, NGX_CONF_OK};
use ngx::ffi::{
    NGX_OK, ngx_command_t, ngx_conf_full_name, ngx_conf_include, ngx_conf_parse, ngx_conf_t,
    ngx_http_conf_ctx_t, ngx_int_t, ngx_str_t, ngx_thread_pool_add,
};
use std::ffi::{c_char, c_void};
use std::fmt;
use std::path::PathBuf;
use std::ptr::null_mut;

/// The configuration that is being read, borrowed for one call from nginx.
pub(crate) struct Config<'c> {
    pub(super) raw: &'c mut ngx_conf_t,
}

/// A line of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Place {
    file: String,
    line: usize,
}

impl Place {
    pub(super) fn new(file: String, line: usize) -> Self {
        Self { file, line }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Why the configuration is not taken.
#[derive(Debug)]
pub(crate) enum Mistake {
    /// Said with the line that is being read.
    Here(String),
    /// Said with another.
    At(Place, String),
    /// nginx has said it.
    Told,
}

impl From<String> for Mistake {
    fn from(text: String) -> Self {
        Self::Here(text)
    }
}

impl From<&str> for Mistake {
    fn from(text: &str) -> Self {
        Self::Here(text.into())
    }
}

impl Mistake {
    /// A mistake in a line that has been read before.
    pub(crate) fn at(place: &Place, text: impl Into<String>) -> Self {
        Self::At(place.clone(), text.into())
    }
}

/// Takes a directive inside a block: its words, the name first.
pub(crate) type Inside<'b> = dyn FnMut(&mut Config<'_>, &[&str]) -> Result<(), Mistake> + 'b;

impl<'c> Config<'c> {
    /// # Safety
    /// nginx has called with this configuration. For all of `'c` it touches it within calls made by way of this
    /// alone.
    pub(super) unsafe fn new(raw: *mut ngx_conf_t) -> Self {
        // SAFETY: by the caller's promise.
        Self { raw: unsafe { &mut *raw } }
    }

    /// The words of the directive being read, its name first.
    pub(crate) fn words(&self) -> Result<Vec<String>, Mistake> {
        // SAFETY: args is an array of strings while a directive is handled.
        let words = unsafe { (*self.raw.args).as_slice::<ngx_str_t>() };
        // SAFETY: as above, each with its text.
        let text = |word: &ngx_str_t| str::from_utf8(unsafe { bytes(*word) }).map(str::to_owned);
        let words = words.iter().map(text).collect::<Result<_, _>>();
        words.map_err(|_| "argument is not UTF-8".into())
    }

    /// One of them.
    pub(crate) fn word(&self, index: usize) -> Result<String, Mistake> {
        self.words()?.into_iter().nth(index).ok_or_else(|| "invalid number of arguments".into())
    }

    /// The line that nginx is reading.
    pub(crate) fn place(&self) -> Place {
        // SAFETY: conf_file is null or the file being read.
        match unsafe { self.raw.conf_file.as_ref() } {
            None => Place::default(),
            Some(file) => Place {
                // SAFETY: nginx has the name in its memory while it reads the file.
                file: String::from_utf8_lossy(unsafe { bytes(file.file.name) }).into_owned(),
                line: file.line,
            },
        }
    }

    /// Writes a warning.
    pub(crate) fn warn(&self, text: &str) {
        log::conf_warn(self.raw.log, text);
    }

    /// What `http` says that is being read.
    pub(crate) fn http<C: Carried>(&mut self) -> &mut C::Http {
        // SAFETY: inside http{} and its hooks, ctx is its context; one thread reads configuration and holds
        // this borrow for one call.
        unsafe { &mut (*carried::http_conf::<C>((*self.context()).main_conf)).own }
    }

    /// What the server says whose locations are being merged.
    pub(crate) fn server<C: Carried>(&mut self) -> &mut C::Server {
        // SAFETY: as above; nginx sets srv_conf before it merges a server.
        unsafe { &mut *carried::conf::<C>((*self.context()).srv_conf).cast() }
    }

    /// What `http` says of all locations, once it has been read: before that, what the place says that is
    /// being read.
    pub(super) fn outermost<C: Carried>(&self) -> *const C::Location {
        // SAFETY: as above.
        unsafe { carried::conf::<C>((*self.context()).loc_conf).cast() }
    }

    pub(super) fn context(&self) -> *const ngx_http_conf_ctx_t {
        self.raw.ctx.cast()
    }

    /// A file's name in full: a relative one is in the configuration's folder.
    pub(crate) fn full_path(&mut self, name: &str) -> Result<PathBuf, Mistake> {
        // SAFETY: nginx replaces a relative name by one in the configuration's folder, in its pool.
        unsafe {
            let mut full = self.copy(format!("{name}\0").as_bytes())?;
            full.len -= 1;
            if ngx_conf_full_name(self.raw.cycle, &raw mut full, 1) != NGX_OK as ngx_int_t {
                return Err("no memory".into());
            }
            let text = str::from_utf8(bytes(full)).map_err(|_| "file name is not UTF-8")?;
            Ok(PathBuf::from(text))
        }
    }

    /// Has the pool of threads of this name made. nginx names the line being read where it is not declared.
    pub(crate) fn add_thread_pool(&mut self, name: &str) -> Result<(), Mistake> {
        // SAFETY: the name is copied to the configuration's pool, where nginx keeps it.
        unsafe {
            let mut name = self.copy(name.as_bytes())?;
            let pool = ngx_thread_pool_add(self.raw, &raw mut name);
            if pool.is_null() { Err("thread pool cannot be used".into()) } else { Ok(()) }
        }
    }

    pub(super) fn copy(&mut self, text: &[u8]) -> Result<ngx_str_t, Mistake> {
        // SAFETY: the configuration's pool is live.
        unsafe { ngx_str_t::from_bytes(self.raw.pool, text) }.ok_or_else(|| "no memory".into())
    }

    /// Reads a block up to its end: `inside` is called with each directive but `include`.
    pub(crate) fn read_block(&mut self, mut inside: &mut Inside<'_>) -> Result<(), Mistake> {
        let (handler, handler_conf) = (self.raw.handler, self.raw.handler_conf);
        self.raw.handler = Some(inside_block);
        self.raw.handler_conf = (&raw mut inside).cast();
        // SAFETY: nginx parses up to the end of the block and calls `inside_block` for each directive.
        let result = unsafe { ngx_conf_parse(self.raw, null_mut()) };
        self.raw.handler = handler;
        self.raw.handler_conf = handler_conf;
        told(result)
    }
}

/// What nginx's parser says, which has said what is wrong.
fn told(result: *mut c_char) -> Result<(), Mistake> {
    if result == NGX_CONF_OK { Ok(()) } else { Err(Mistake::Told) }
}

unsafe extern "C" fn inside_block(
    cf: *mut ngx_conf_t,
    command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    directive(cf, |config| {
        let words = config.words()?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            // SAFETY: nginx's own handler of `include`, called as it calls it, in the middle of parsing.
            ["include", _] => told(unsafe { ngx_conf_include(config.raw, command, conf) }),
            [] => Ok(()),
            // SAFETY: `read_block` has set this, and lends it for as long as nginx parses.
            words => unsafe { (*conf.cast::<&mut Inside<'_>>())(config, words) },
        }
    })
}

/// Runs a directive's handler; what it says is wrong is told as nginx tells it. `cf` is what nginx has called
/// with.
pub(super) fn directive(
    cf: *mut ngx_conf_t,
    handler: impl FnOnce(&mut Config<'_>) -> Result<(), Mistake>,
) -> *mut c_char {
    guard(NGX_CONF_ERROR, || {
        // SAFETY: nginx calls directive handlers with its configuration.
        let mut config = unsafe { Config::new(cf) };
        match handler(&mut config) {
            Ok(()) => NGX_CONF_OK,
            Err(mistake) => {
                config.tell(mistake);
                NGX_CONF_ERROR
            }
        }
    })
}

impl Config<'_> {
    /// Tells a mistake with its line.
    pub(super) fn tell(&self, mistake: Mistake) {
        let (place, text) = match mistake {
            Mistake::Told => return,
            Mistake::Here(text) => (self.place(), text),
            Mistake::At(place, text) => (place, text),
        };
        log::emerg(self.raw.log, &format!("{text} in {place}"));
    }
}
