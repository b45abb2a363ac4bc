// SPDX-License-Identifier: MIT OR Apache-2.0
//! A server of one file, for downloads that are cut off.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use fs_err as fs;

/// Bytes of one piece, and how long the server waits behind it: slow enough to be killed in the middle.
const PIECE_BYTES: usize = 512 << 10;
const PAUSE: Duration = Duration::from_millis(10);

/// A client that says nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// Most lines of a request that are read.
const LINES_MAX: usize = 100;

/// A server; it ends with the lab.
pub struct Server {
    port: u16,
    is_cut: Arc<AtomicBool>,
    begins: Arc<Mutex<Vec<u64>>>,
}

impl Server {
    /// Serves this file, whatever is asked for.
    ///
    /// # Errors
    /// If no port of this machine can be had.
    pub fn start(file: &Path) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("listening on a port of this machine")?;
        let port = listener.local_addr().context("asking for the port")?.port();
        let is_cut = Arc::new(AtomicBool::new(false));
        let begins = Arc::default();
        let (file, flag, noted) = (file.to_owned(), Arc::clone(&is_cut), Arc::clone(&begins));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (file, flag, noted): (PathBuf, _, _) =
                    (file.clone(), Arc::clone(&flag), Arc::clone(&noted));
                // A client that was killed in the middle is what this is for.
                std::thread::spawn(move || serve(stream, &file, &flag, &noted));
            }
        });
        Ok(Self { port, is_cut, begins })
    }

    /// Where the file is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/linux.tar.xz", self.port)
    }

    /// Where the answers so far began, in bytes, in their order.
    pub fn begins(&self) -> Vec<u64> {
        self.begins.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on every answer stops in the middle, as where the network is cut; or none does.
    pub fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::SeqCst);
    }
}

fn serve(mut stream: TcpStream, path: &Path, is_cut: &AtomicBool, begins: &Mutex<Vec<u64>>) -> Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut from = 0;
    for line in BufReader::new(&stream).lines().take(LINES_MAX) {
        let line = line?;
        if line.is_empty() {
            break;
        }
        from = begin_of_range(&line).unwrap_or(from);
    }
    begins.lock().unwrap_or_else(PoisonError::into_inner).push(from);
    let mut file = fs::File::open(path)?;
    let size = file.metadata()?.len();
    if from >= size {
        write!(
            stream,
            "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )?;
        return Ok(());
    }
    file.seek(SeekFrom::Start(from))?;
    let left = size - from;
    let status = if from == 0 { "200 OK" } else { "206 Partial Content" };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {left}\r\nContent-Range: bytes {from}-{}/{size}\r\n\
         Accept-Ranges: bytes\r\nConnection: close\r\n\r\n",
        size - 1
    )?;
    let mut sent = 0;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = file.read(&mut piece)?;
        let most = if is_cut.load(Ordering::SeqCst) { left / 8 } else { left };
        let room = usize::try_from(most.saturating_sub(sent)).unwrap_or(usize::MAX);
        if read == 0 || room == 0 {
            return Ok(());
        }
        stream.write_all(&piece[..read.min(room)])?;
        sent += read as u64;
        std::thread::sleep(PAUSE);
    }
}

/// N of `Range: bytes=N-`.
fn begin_of_range(line: &str) -> Option<u64> {
    let (name, value) = line.split_once(':')?;
    let range = name.eq_ignore_ascii_case("range").then(|| value.trim().strip_prefix("bytes="))??;
    range.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_may_go_on_where_it_stopped() {
        assert_eq!(begin_of_range("Range: bytes=100-"), Some(100));
        assert_eq!(begin_of_range("range:bytes=7-9"), Some(7));
        assert_eq!(begin_of_range("Host: bytes=7-"), None);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        fs::write(&path, b"0123456789").unwrap();
        let server = Server::start(&path).unwrap();
        let ask = |range: &str| {
            let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
            write!(stream, "GET / HTTP/1.1\r\n{range}\r\n").unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            text
        };
        assert!(ask("").ends_with("\r\n\r\n0123456789"));
        assert!(ask("Range: bytes=4-\r\n").ends_with("\r\n\r\n456789"));
        assert!(ask("Range: bytes=10-\r\n").starts_with("HTTP/1.1 416"));
        assert_eq!(server.begins(), [0, 4, 10]);
        server.cut(true);
        assert!(ask("").ends_with("\r\n\r\n0"), "an eighth of it");
    }
}
