//! The files of a directory tree.

use std::io;
use std::path::{Path, PathBuf};

/// The repository that this program was built from.
pub(crate) fn own_sources() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_path_buf()
}

/// All files below `root`, or `root` itself, in order. Hidden ones, links, and what was
/// built (`target`) are left out.
pub(crate) fn files(root: &Path) -> io::Result<Vec<PathBuf>> {
    if root.metadata()?.is_file() {
        return Ok(vec![root.to_path_buf()]);
    }
    let (mut files, mut directories) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(directory) = directories.pop() {
        for entry in directory.read_dir()? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let kind = entry.file_type()?;
            if kind.is_dir() && name != "target" && !name.starts_with('.') {
                directories.push(entry.path());
            } else if kind.is_file() && !name.starts_with('.') {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}
