// SPDX-License-Identifier: MIT OR Apache-2.0
//! Images: an initramfs with init and the check programs. Packed without root.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cpio::newc::Builder;
use fs_err as fs;

use crate::plan::key::{Key, KeyBuilder};
use crate::run::cache::Kind;
use crate::run::context::Context;
use crate::run::program::Program;

/// Where check programs are in the guest.
pub const CHECKS_FOLDER: &str = "checks";

/// Folders that init mounts something on, or fills.
const FOLDERS: [&str; 8] = ["bin", CHECKS_FOLDER, "dev", "proc", "run", "sys", "tmp", "root"];

/// A packed image.
pub struct Image {
    /// The file.
    pub path: PathBuf,
    /// Of everything in it.
    pub key: Key,
}

/// Finds or packs an image.
///
/// # Errors
/// If a program cannot be read or the image not be written.
pub fn image(
    context: &Context<'_>,
    init: &Program,
    checks: &[Program],
    shell: Option<&Path>,
) -> Result<Image> {
    let mut key = KeyBuilder::new("image").part("init", init.key.as_str());
    for check in checks {
        key = key.part(&check.name, check.key.as_str());
    }
    if let Some(shell) = shell {
        key = key.part("shell", crate::run::digests::file_digest(shell)?);
    }
    let key = key.finish();
    if let Some(folder) = context.object(Kind::Image, &key)? {
        return Ok(Image { path: folder.join("initramfs"), key });
    }
    let made = context.cache.temporary()?;
    pack(&made.path().join("initramfs"), init, checks, shell).context("packing the guest's image")?;
    let folder = context.cache.store(Kind::Image, &key, made)?;
    Ok(Image { path: folder.join("initramfs"), key })
}

fn pack(path: &Path, init: &Program, checks: &[Program], shell: Option<&Path>) -> Result<()> {
    let mut packer = Packer { out: std::io::BufWriter::new(fs::File::create(path)?), inode: 0 };
    for folder in FOLDERS {
        packer.entry(Builder::new(folder).mode(0o040_755).nlink(2), b"")?;
    }
    // The kernel opens this for init before anything is mounted.
    let console = Builder::new("dev/console").mode(0o020_600).rdev_major(5).rdev_minor(1);
    packer.entry(console, b"")?;
    packer.file("init", &init.path)?;
    for check in checks {
        packer.file(&format!("{CHECKS_FOLDER}/{}", check.name), &check.path)?;
    }
    if let Some(shell) = shell {
        packer.file("bin/busybox", shell)?;
        packer.entry(Builder::new("bin/sh").mode(0o120_777), b"busybox")?;
    }
    let out = cpio::newc::trailer(packer.out)?;
    out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    Ok(())
}

struct Packer<W: Write> {
    out: W,
    inode: u32,
}

impl<W: Write> Packer<W> {
    fn file(&mut self, name: &str, path: &Path) -> Result<()> {
        self.entry(Builder::new(name).mode(0o100_755), &fs::read(path)?)
    }

    fn entry(&mut self, builder: Builder, contents: &[u8]) -> Result<()> {
        self.inode += 1;
        let size = u32::try_from(contents.len()).context("a file of 4 GiB or more")?;
        let mut writer = builder.ino(self.inode).uid(0).gid(0).mtime(0).write(&mut self.out, size);
        writer.write_all(contents)?;
        writer.finish()?;
        Ok(())
    }
}
