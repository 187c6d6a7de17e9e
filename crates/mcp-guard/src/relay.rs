//! The pipes: lines in, lines out, one thread each way.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cap_mcp::MAX_LINE_BYTES;
use parking_lot::Mutex;

use crate::clock::now;
use crate::enforce::{Guard, Outcome};

/// A pipe that both directions may write whole lines to.
pub(crate) type Sink = Arc<Mutex<Option<Box<dyn Write + Send>>>>;

/// Refusals to the server that may wait for it to read.
const MAX_WAITING: usize = 16;

/// Why a direction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Its source has nothing more to say.
    Closed,
    /// It sent what could be answered under no id.
    Unreadable,
    /// The other side no longer reads.
    Deaf,
}

pub(crate) fn sink(pipe: impl Write + Send + 'static) -> Sink {
    Arc::new(Mutex::new(Some(Box::new(pipe))))
}

/// Writes a line; an error means that nobody reads any more.
fn write(sink: &Sink, line: &[u8]) -> io::Result<()> {
    match sink.lock().as_mut() {
        Some(pipe) => pipe.write_all(line).and_then(|()| pipe.flush()),
        None => Err(io::ErrorKind::BrokenPipe.into()),
    }
}

/// From the client to the server, every line through the guard.
pub(crate) fn client_to_server(
    guard: &Guard,
    client: impl Read,
    to_server: &Sink,
    to_client: &Sink,
) -> End {
    let mut lines = Lines::new(client);
    while let Ok(Some(line)) = lines.next() {
        match guard.client(line, now()) {
            Outcome::Pass(permit) => {
                if write(to_server, &permit.into_message()).is_err() {
                    return End::Deaf;
                }
            }
            Outcome::Answer(answer) => {
                // Who sends and does not read is gone.
                if write(to_client, &answer).is_err() {
                    return End::Closed;
                }
            }
            Outcome::Drop => {}
            Outcome::Close => return End::Unreadable,
        }
    }
    End::Closed
}

/// From the server to the client, every line through the guard.
pub(crate) fn server_to_client(
    guard: &Guard,
    server: impl Read,
    to_server: &Sink,
    to_client: &Sink,
) -> End {
    let waiting = Arc::new(AtomicUsize::new(0));
    let mut lines = Lines::new(server);
    while let Ok(Some(line)) = lines.next() {
        let outcome = guard.server(line, now());
        let written = outcome.client.map_or(Ok(()), |line| write(to_client, &line));
        if let Some(record) = outcome.completed {
            guard.completed(record);
        }
        if let Some(refusal) = outcome.server {
            refuse_server(&waiting, to_server, refusal);
        }
        if written.is_err() {
            return End::Deaf;
        }
    }
    End::Closed
}

/// SECURITY: a server that asks and does not read must not stop what flows from it to the client;
/// what it does not read is dropped.
fn refuse_server(waiting: &Arc<AtomicUsize>, to_server: &Sink, refusal: Vec<u8>) {
    if waiting.fetch_add(1, Ordering::AcqRel) >= MAX_WAITING {
        waiting.fetch_sub(1, Ordering::AcqRel);
        return;
    }
    let (waiting, to_server) = (Arc::clone(waiting), Arc::clone(to_server));
    std::thread::spawn(move || {
        let _ = write(&to_server, &refusal);
        waiting.fetch_sub(1, Ordering::AcqRel);
    });
}

/// Lines of at most [`MAX_LINE_BYTES`], with their newlines.
struct Lines<R> {
    source: BufReader<R>,
    line: Vec<u8>,
}

impl<R: Read> Lines<R> {
    fn new(source: R) -> Self {
        Self { source: BufReader::with_capacity(64 * 1024, source), line: Vec::new() }
    }

    /// The next line; `None` at the end. A line that is too long is cut just beyond the bound, so
    /// that the reader refuses it, and the rest of it is dropped.
    fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        if self.line.capacity() > KEPT {
            self.line.shrink_to(KEPT);
        }
        let bound = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX).saturating_add(2);
        let read = Read::by_ref(&mut self.source).take(bound).read_until(b'\n', &mut self.line)?;
        if read > MAX_LINE_BYTES && self.line.last() != Some(&b'\n') {
            self.source.skip_until(b'\n')?;
        }
        Ok((read > 0).then_some(self.line.as_slice()))
    }
}

/// Capacity that is kept from line to line.
const KEPT: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_with_their_newlines_and_the_last_one_without() {
        let mut lines = Lines::new(&b"a\n\nbc"[..]);
        assert_eq!(lines.next().unwrap(), Some(&b"a\n"[..]));
        assert_eq!(lines.next().unwrap(), Some(&b"\n"[..]));
        assert_eq!(lines.next().unwrap(), Some(&b"bc"[..]));
        assert_eq!(lines.next().unwrap(), None);
    }

    #[test]
    fn a_line_that_is_too_long_is_refused_and_the_next_one_is_whole() {
        let mut source = vec![b'x'; MAX_LINE_BYTES + 5000];
        source.extend_from_slice(b"\n{}\n");
        let mut lines = Lines::new(source.as_slice());
        let long = lines.next().unwrap().unwrap();
        assert_eq!(cap_mcp::read(long).unwrap_err().fault, cap_mcp::Fault::TooLong);
        assert_eq!(lines.next().unwrap(), Some(&b"{}\n"[..]));
    }
}
