// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files that the lab reads whole: never more than they may be.

use std::io::Read as _;
use std::path::Path;

use fs_err as fs;

use crate::fault::Fault;

/// Most that a TOML file may be, in bytes.
pub const TOML_BYTES_MAX: usize = 4 << 20;

/// Reads a file. What it says of its size counts for nothing: a pipe or a device says none.
///
/// # Errors
/// A usage fault that names the file, if it cannot be read or is larger.
pub fn read_capped(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(bytes_max as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| Fault::usage(error.to_string()))?;
    if bytes.len() > bytes_max {
        return Err(Fault::usage(format!("{}: more than the {bytes_max} bytes allowed", path.display())));
    }
    Ok(bytes)
}

/// As [`read_capped`], for a TOML file.
///
/// # Errors
/// As [`read_capped`]; for what is no UTF-8 as well.
pub fn read_toml(path: &Path) -> Result<String, Fault> {
    String::from_utf8(read_capped(path, TOML_BYTES_MAX)?)
        .map_err(|error| Fault::usage(format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_or_has_no_end_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.toml");
        fs::write(&path, "a = 1").unwrap();
        assert_eq!(read_toml(&path).unwrap(), "a = 1");
        assert_eq!(read_capped(&path, 5).unwrap().len(), 5);
        assert!(read_capped(&path, 4).unwrap_err().to_string().contains("more than the 4 bytes"));
        assert!(read_toml(Path::new("/dev/zero")).unwrap_err().to_string().contains("more than"));
        assert!(read_toml(folder.path()).is_err());
        fs::write(&path, [0xff]).unwrap();
        assert!(read_toml(&path).unwrap_err().to_string().contains("x.toml"));
    }
}
