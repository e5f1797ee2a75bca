//! Names of users and groups.

/// 1–128 bytes without control characters (Unicode's category Cc).
pub fn is_user(name: &str) -> bool {
    let is_control = |c: char| matches!(u32::from(c), 0..=0x1f | 0x7f..=0x9f);
    !name.is_empty() && name.len() <= 128 && !name.chars().any(is_control)
}

/// A name without commas, and without white space around it.
pub fn is_group(name: &str) -> bool {
    is_user(name) && !name.contains(',') && name.trim() == name
}
