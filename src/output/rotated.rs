//! Rotated files: their names, compression and removal.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::output_file::{FileOptions, Synchronisation};
use crate::thread::start;

/// The suffix of a compressed file, and of an incomplete one.
const COMPRESSED: &str = ".zst";
const PARTIAL: &str = ".zst.part";

/// zstd's default level, with a speed of some hundreds of megabytes a second.
const LEVEL: i32 = 3;

/// The suffix of a rotated file: `20261121T000000.000000Z`. All have the same length, so that a shell lists
/// the files by time, compressed or not. No two files have the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct RotationStamp(Timestamp);

impl RotationStamp {
    const FORM: &str = "%Y%m%dT%H%M%S%.6fZ";
    const LENGTH: usize = 23;

    /// A time before year 0 or after year 9999 becomes one of the last representable microseconds.
    fn at(time: SystemTime) -> Self {
        let time = Timestamp::try_from(time).unwrap_or(Timestamp::MAX);
        Self(Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time))
    }

    /// The next stamp. After the last microsecond of year 9999 it stays the same.
    fn next(self) -> Self {
        Self(Timestamp::from_microsecond(self.0.as_microsecond() + 1).unwrap_or(self.0))
    }

    fn parse(text: &str) -> Option<Self> {
        // This rejects invalid dates, such as month 13.
        let time = DateTime::strptime("%Y%m%dT%H%M%S%.fZ", text).ok()?.to_zoned(TimeZone::UTC).ok()?;
        let stamp = Self(time.timestamp());
        (text.len() == Self::LENGTH && stamp.to_string() == text).then_some(stamp)
    }

    /// The path of the file, without the suffix of a compressed one.
    fn path(self, path: &Path) -> PathBuf {
        with_ending(path, &format!(".{self}"))
    }
}

impl fmt::Display for RotationStamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime(Self::FORM))
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = OsString::from(path);
    path.push(ending);
    path.into()
}

/// The rotated files of one file.
#[derive(Debug)]
pub(super) struct Archive {
    path: PathBuf,
    options: FileOptions,
    /// The latest stamp; its file may have been removed.
    latest: Option<RotationStamp>,
    /// A thread that compresses and removes files.
    thread: Option<JoinHandle<io::Result<()>>>,
    /// Whether files were rotated while the thread ran.
    again: bool,
    failure: Option<io::Error>,
}

impl Archive {
    pub(super) fn new(path: &Path, options: FileOptions) -> io::Result<Self> {
        let mut this =
            Self { path: path.to_owned(), options, latest: None, thread: None, again: false, failure: None };
        if options.rotation.is_some() {
            this.latest = rotated_files(path)?.pop().map(|(stamp, _)| stamp);
            this.tidy();
        }
        Ok(this)
    }

    /// The name of a file that is rotated at this time. It sorts after all earlier names, even if the clock
    /// was ahead then.
    pub(super) fn next_path(&mut self, time: SystemTime) -> PathBuf {
        let mut stamp = RotationStamp::at(time);
        if let Some(latest) = self.latest.take().filter(|latest| *latest >= stamp) {
            stamp = latest.next();
        }
        // An existing file is never replaced, whatever it is.
        let is_there = |path: &Path| fs::symlink_metadata(path).is_ok();
        let mut rotated = stamp.path(&self.path);
        while (is_there(&rotated) || is_there(&with_ending(&rotated, COMPRESSED))) && stamp.next() > stamp {
            stamp = stamp.next();
            rotated = stamp.path(&self.path);
        }
        self.latest = Some(stamp);
        rotated
    }

    /// The error of the thread, returned once.
    pub(super) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Compresses and removes files as the options say, in a thread.
    pub(super) fn tidy(&mut self) {
        if self.options.keep.is_none() && !self.options.compress {
            return;
        }
        match self.thread.take() {
            Some(thread) if !thread.is_finished() => {
                self.again = true;
                self.thread = Some(thread);
                return;
            }
            Some(thread) => self.join(thread),
            None => {}
        }
        self.again = false;
        let (path, options) = (self.path.clone(), self.options);
        match start("files", move || tidy(&path, options)) {
            Ok(thread) => self.thread = Some(thread),
            Err(refused) => self.failure = self.failure.take().or(Some(refused.into())),
        }
    }

    fn join(&mut self, thread: JoinHandle<io::Result<()>>) {
        let ended = thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that compresses files failed")));
        self.failure = self.failure.take().or(ended.err());
    }

    /// Waits until the thread has finished.
    pub(super) fn finish(&mut self) {
        while let Some(thread) = self.thread.take() {
            self.join(thread);
            if self.again {
                self.tidy();
            }
        }
    }

    /// Synchronises the folder, so that file names survive a loss of power.
    pub(super) fn synchronise_folder(&self) -> io::Result<()> {
        File::open(folder(&self.path))?.sync_all()
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The rotated files, oldest first, and whether each is compressed; incomplete files are removed. A directory
/// or a pipe with such a name is not ours and is ignored.
fn rotated_files(path: &Path) -> io::Result<Vec<(RotationStamp, bool)>> {
    let base = path.file_name().unwrap_or_default().as_encoded_bytes();
    let mut found = Vec::new();
    for entry in fs::read_dir(folder(path))? {
        let entry = entry?;
        if !entry.file_type()?.is_file() {
            continue;
        }
        let name = entry.file_name();
        let rest = name.as_encoded_bytes().strip_prefix(base).and_then(|rest| rest.strip_prefix(b"."));
        let Some(rest) = rest.and_then(|rest| std::str::from_utf8(rest).ok()) else { continue };
        if let Some(stamp) = rest.strip_suffix(PARTIAL) {
            if RotationStamp::parse(stamp).is_some() {
                fs::remove_file(entry.path())?;
            }
            continue;
        }
        let stamp = rest.strip_suffix(COMPRESSED);
        if let Some(found_stamp) = RotationStamp::parse(stamp.unwrap_or(rest)) {
            found.push((found_stamp, stamp.is_some()));
        }
    }
    found.sort();
    Ok(found)
}

fn tidy(path: &Path, options: FileOptions) -> io::Result<()> {
    let mut files = rotated_files(path)?;
    let surplus = options.keep.map_or(0, |keep| files.len().saturating_sub(keep));
    for (stamp, is_compressed) in files.drain(..surplus) {
        let file = stamp.path(path);
        fs::remove_file(if is_compressed { with_ending(&file, COMPRESSED) } else { file })?;
    }
    for (stamp, is_compressed) in files {
        if options.compress && !is_compressed {
            compress(&stamp.path(path), options.synchronisation != Synchronisation::Never)?;
        }
    }
    Ok(())
}

/// Replaces a file by a compressed one, which gets its name once it is complete.
fn compress(path: &Path, synchronises: bool) -> io::Result<()> {
    let (partial, whole) = (with_ending(path, PARTIAL), with_ending(path, COMPRESSED));
    if fs::symlink_metadata(&whole).is_ok() {
        return Ok(()); // An existing file is not replaced: it may be another one.
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut encoder = zstd::stream::write::Encoder::new(File::create(&partial)?, LEVEL)?;
    encoder.include_checksum(true)?;
    encoder.set_pledged_src_size(Some(metadata.len()))?;
    io::copy(&mut &file, &mut encoder)?;
    let compressed = encoder.finish()?;
    compressed.set_permissions(metadata.permissions())?;
    compressed.set_modified(metadata.modified()?)?;
    if synchronises {
        compressed.sync_all()?;
    }
    fs::rename(&partial, whole)?;
    fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use super::super::output_file::Rotation;
    use super::*;
    use std::time::Duration;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn rotated_files_have_free_names_that_sort_by_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000);
        let options = FileOptions { rotation: Some(Rotation::Bytes(1)), ..FileOptions::default() };
        let mut archive = Archive::new(&path, options).unwrap();
        for (micros, name) in [
            (0, "a.jsonl.20261118T110640.000000Z"),
            (0, "a.jsonl.20261118T110640.000001Z"),
            (1_000_000, "a.jsonl.20261118T110641.000000Z"),
            // The clock was set back.
            (0, "a.jsonl.20261118T110641.000001Z"),
        ] {
            let rotated = archive.next_path(time + Duration::from_micros(micros));
            assert_eq!(rotated, folder.path().join(name));
            // A name is not reused after its file was removed.
            if micros == 0 {
                fs::write(with_ending(&rotated, COMPRESSED), name).unwrap();
            }
        }
        let mut next_run = Archive::new(&path, options).unwrap();
        assert_eq!(next_run.next_path(time), folder.path().join("a.jsonl.20261118T110641.000002Z"));
    }

    /// A shell lists the names in this order.
    #[test]
    fn names_sort_as_text_with_and_without_compression() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let options = FileOptions { rotation: Some(Rotation::Bytes(1)), ..FileOptions::default() };
        let mut archive = Archive::new(&path, options).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::new(1_795_000_000, 999_990_123);
        for number in 0..30 {
            let rotated = archive.next_path(time);
            let file = if number % 2 == 0 { with_ending(&rotated, COMPRESSED) } else { rotated };
            fs::write(file, number.to_string()).unwrap();
        }
        let content = |name: &String| fs::read_to_string(folder.path().join(name)).unwrap();
        let numbers: Vec<String> = names(folder.path()).iter().map(content).collect();
        assert_eq!(numbers, (0..30).map(|number: i32| number.to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn times_without_a_next_one_do_not_panic() {
        let last = RotationStamp::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 50));
        assert_eq!(last.next(), last.next().next());
        assert!(RotationStamp::at(SystemTime::UNIX_EPOCH - Duration::from_secs(1 << 40)) <= last);
    }

    /// Files left by an earlier run are included; other files are left alone.
    #[test]
    fn oldest_files_are_removed_and_the_others_compressed() {
        let folder = tempfile::tempdir().unwrap();
        let others = [
            "a",
            "a.1",
            "a.20260101T000000",
            "a.20260101T000000Z.gz",
            "ab.20260101T000000.000000Z",
            "a.20260101T000000Z",
            "a.20260101T000000.00000Z",
        ];
        let rotated = [
            "a.20260101T000000.000000Z",
            "a.20260102T000000.000000Z.zst",
            "a.20260103T000000.000002Z",
            "a.20260103T000000.000000Z",
        ];
        for name in others.iter().chain(&rotated).chain(&["a.20260103T000000.000000Z.zst.part"]) {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let rotation = Some(Rotation::Bytes(1));
        let options = FileOptions { rotation, keep: Some(2), compress: true, ..FileOptions::default() };
        let mut archive = Archive::new(&folder.path().join("a"), options).unwrap();
        archive.tidy();
        archive.finish();
        assert!(archive.failure().is_none());
        let mut expected: Vec<&str> = others.to_vec();
        expected.extend(["a.20260103T000000.000000Z.zst", "a.20260103T000000.000002Z.zst"]);
        expected.sort_unstable();
        assert_eq!(names(folder.path()), expected);
        let compressed = fs::read(folder.path().join("a.20260103T000000.000002Z.zst")).unwrap();
        assert_eq!(zstd::stream::decode_all(&compressed[..]).unwrap(), b"a.20260103T000000.000002Z");
    }

    /// Such entries belong to other programs: a logger must neither fail because of them nor replace them.
    #[test]
    fn names_that_are_taken_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (file, taken) = (|name: &str| folder.path().join(name), "a.20260101T000000.000000Z");
        fs::create_dir(file(taken)).unwrap();
        fs::create_dir(file("a.20260102T000000.000000Z.zst")).unwrap();
        for name in [
            "a.20261340T999999.000000Z",
            "a.20260103T000000.000000Z",
            "a.20260103T000000.000000Z.zst",
            "a.20260104T000000.000000Z",
        ] {
            fs::write(file(name), name).unwrap();
        }
        let rotation = Some(Rotation::Bytes(1));
        let options = FileOptions { rotation, keep: Some(3), compress: true, ..FileOptions::default() };
        let mut archive = Archive::new(&file("a"), options).unwrap();
        archive.finish();
        assert!(archive.failure().is_none());
        assert_eq!(
            names(folder.path()),
            [
                taken,
                "a.20260102T000000.000000Z.zst",
                "a.20260103T000000.000000Z",
                "a.20260103T000000.000000Z.zst",
                "a.20260104T000000.000000Z.zst",
                "a.20261340T999999.000000Z",
            ]
        );
        assert_eq!(
            fs::read(file("a.20260103T000000.000000Z.zst")).unwrap(),
            b"a.20260103T000000.000000Z.zst"
        );
        let second = |text: &str| SystemTime::from(text.parse::<Timestamp>().unwrap());
        fs::create_dir(file("a.20260105T000000.000000Z")).unwrap();
        assert_eq!(archive.next_path(second("2026-01-05T00:00:00Z")), file("a.20260105T000000.000001Z"));
    }

    #[test]
    fn failure_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let options = FileOptions { compress: true, ..FileOptions::default() };
        let mut archive = Archive::new(&folder.path().join("missing").join("a"), options).unwrap();
        archive.tidy();
        archive.finish();
        assert_eq!(archive.failure().unwrap().kind(), io::ErrorKind::NotFound);
    }
}
