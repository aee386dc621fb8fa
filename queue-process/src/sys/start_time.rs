//! When this process was started: beside its number that tells it from all others that had
//! or will have the number.

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::io;

/// When this process was started, in ticks of the clock since the system was, modulo 2^32. It
/// stays when another program is started in the process, and is another in a forked child.
///
/// May be called between fork and exec.
///
/// # Errors
/// What the system says.
pub(crate) fn started() -> io::Result<u32> {
    let flags = OFlags::RDONLY.union(OFlags::CLOEXEC);
    let file = rustix::fs::open(c"/proc/self/stat", flags, Mode::empty())?;
    let mut text = [0; 1024];
    let len = rustix::io::retry_on_intr(|| rustix::io::read(&file, &mut text))?;
    parse(&text[..len]).ok_or_else(|| Errno::INVAL.into())
}

/// The 22nd field. The second is a name in parentheses, which may hold anything.
fn parse(stat: &[u8]) -> Option<u32> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = stat[name_end..].split(|byte| *byte == b' ');
    let field = fields.nth(20).filter(|field| !field.is_empty())?;
    field.iter().try_fold(0_u32, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u32::from(digit - b'0'))?;
        Some(number.wrapping_mul(10).wrapping_add(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_22nd_field() {
        let stat = b"7 (a) b) S 1 7 7 0 -1 4194304 1 0 0 0 2 3 0 0 20 0 1 0 4711 8 9 10";
        assert_eq!(parse(stat), Some(4711));
        let late = b"7 (a) S 1 7 7 0 -1 4194304 1 0 0 0 2 3 0 0 20 0 1 0 4294967298 8";
        assert_eq!(parse(late), Some(2), "modulo 2^32");
        let cut = &stat[..stat.len() - 14];
        for other in [cut, b"", b"7 (a) S", b"7 (a S 1"] {
            assert_eq!(parse(other), None);
        }
    }

    #[test]
    fn it_stays() {
        assert_eq!(started().unwrap(), started().unwrap());
        assert_ne!(started().unwrap(), 0);
    }
}
