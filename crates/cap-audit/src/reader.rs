use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use thiserror::Error;

use crate::line::{Entry, MAX_LINE, Reason, parse_line};
use crate::place::Place;

/// Reads the records of a log one by one, without checking that they are true (that is what
/// [`verify`](crate::verify) is for).
///
/// The log may be one that somebody is writing: at its end the iterator gives `None`, and when
/// there is more to read later, it gives that. Half a line is not there yet.
#[derive(Debug)]
pub struct Reader<R>(Lines<R>);

/// Where a log is bad, and why. Everything before that place is good.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize)]
#[error("record {seq} (line {line}, byte {offset}): {reason}")]
#[non_exhaustive]
pub struct BadRecord {
    /// The number of the record that should stand there, counted from 0.
    pub seq: u64,
    /// The line, counted from 1.
    pub line: u64,
    /// The byte at which that line begins, counted from 0.
    pub offset: u64,
    /// What is wrong with it.
    pub reason: Reason,
}

/// Why a record could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The line is not one that a log writes. Later lines can still be read, unless it was too
    /// long.
    #[error(transparent)]
    Bad(#[from] BadRecord),
    /// Reading failed.
    #[error("cannot read the log")]
    Io(#[from] io::Error),
}

/// The log files in the folder of all logs, in the order of their names.
///
/// # Errors
/// When the folder cannot be read. A folder that does not exist has no logs.
pub fn logs(folder: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(Place::all(folder)?.iter().map(Place::log).collect())
}

impl Reader<BufReader<File>> {
    /// Opens a log file, for example one of [`logs`].
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(log: &Path) -> io::Result<Self> {
        Ok(Self::new(BufReader::new(File::open(log)?)))
    }
}

impl<R: BufRead> Reader<R> {
    /// Reads the lines of a log from anywhere.
    pub const fn new(from: R) -> Self {
        Self(Lines::new(from))
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Entry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = match self.0.next().transpose()? {
            Ok(line) => line,
            Err(error) => return Some(Err(error.into())),
        };
        Some(line.parse(parse_line).map_err(ReadError::Bad))
    }
}

/// The complete lines of a log that may be growing.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    from: R,
    /// Of the line that is being read.
    line: u64,
    offset: u64,
    bytes: Vec<u8>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// `bytes` is the beginning of a line.
    Partial,
    /// `bytes` is a line that has been given out.
    Given,
    /// A line was too long; there is no saying where the next one begins.
    Lost,
}

/// One line, without its newline, and where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'l> {
    number: u64,
    offset: u64,
    bytes: Option<&'l [u8]>,
}

impl<R: BufRead> Lines<R> {
    pub(crate) const fn new(from: R) -> Self {
        Self::starting_at(from, 1, 0)
    }

    /// When `from` gives the bytes from `offset` on, where the line of this number begins.
    pub(crate) const fn starting_at(from: R, line: u64, offset: u64) -> Self {
        Self { from, line, offset, bytes: Vec::new(), state: State::Partial }
    }

    /// The next line if all of it is there.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        match self.state {
            State::Partial => {}
            State::Given => self.advance(),
            State::Lost => return Ok(None),
        }
        let room = u64::try_from((MAX_LINE + 1).saturating_sub(self.bytes.len())).unwrap_or(0);
        self.from.by_ref().take(room).read_until(b'\n', &mut self.bytes)?;
        let bytes = self.bytes.strip_suffix(b"\n");
        self.state = match bytes {
            Some(_) => State::Given,
            None if self.bytes.len() > MAX_LINE => State::Lost,
            None => return Ok(None),
        };
        Ok(Some(Line { number: self.line, offset: self.offset, bytes }))
    }

    /// The line that is not all there; empty when the log ends with a newline.
    pub(crate) fn rest(&self) -> &[u8] {
        if self.state == State::Partial { &self.bytes } else { &[] }
    }

    /// The byte after the last line that was given out.
    pub(crate) fn end(&self) -> u64 {
        self.offset + if self.state == State::Given { length(&self.bytes) } else { 0 }
    }

    /// What is wrong with a log that ends within a line.
    pub(crate) fn torn(&self) -> Option<BadRecord> {
        let line = Line { number: self.number(), offset: self.end(), bytes: None };
        (!self.rest().is_empty()).then(|| line.bad(Reason::Torn))
    }

    fn number(&self) -> u64 {
        if self.state == State::Given { self.line + 1 } else { self.line }
    }

    fn advance(&mut self) {
        self.offset = self.end();
        self.line = self.number();
        self.bytes.clear();
        self.state = State::Partial;
    }
}

impl Line<'_> {
    /// What `read` makes of the line, or where it is bad.
    pub(crate) fn parse<T>(
        self,
        read: impl FnOnce(&[u8]) -> Result<T, Reason>,
    ) -> Result<T, BadRecord> {
        self.bytes.ok_or(Reason::Oversize).and_then(read).map_err(|reason| self.bad(reason))
    }

    fn bad(self, reason: Reason) -> BadRecord {
        // Records are counted from 0 and lines from 1; there is one record to a line.
        BadRecord { seq: self.number - 1, line: self.number, offset: self.offset, reason }
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
