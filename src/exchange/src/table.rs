//! Comma-separated values (RFC 4180), read as bytes and strictly: a row is exactly what stands there, or broken.
//! Lenient readers drop a stray quote or take a cut-off cell for a whole one; evidence can't afford either.
//!
//! Memory is bounded whatever comes: behind a limit bytes are read on to the row's end, but not kept. Line ends may be
//! LF, CRLF or CR, also inside quoted cells, where each becomes LF; empty lines are passed over.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

/// The most bytes in a cell, as read and without the quotes around it.
pub const CELL_BYTES_MAX: usize = 32 * 1_024;
/// The most bytes in a row's cells together.
pub const ROW_BYTES_MAX: usize = 256 * 1_024;
/// The most columns.
pub const COLUMNS_MAX: usize = 64;

const BOM_UTF8: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// The rows of a file, one after another.
pub(crate) struct Table<R> {
    reader: BufReader<Chain<Cursor<Vec<u8>>, R>>,
    line: u64,
    after_cr: bool,
}

/// A row as read: its cells, or what is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// The physical line that it begins on, from 1.
    pub(crate) line: u64,
    /// The bytes of each cell, without quotes.
    pub(crate) cells: Vec<Vec<u8>>,
    /// If it is broken: in which cell (from 0), and how. Then `cells` is not to be used.
    pub(crate) fault: Option<(usize, String)>,
    bytes: usize,
}

/// Where the next byte stands.
#[derive(Clone, Copy)]
enum Place {
    CellStart,
    Bare,
    Quoted,
    AfterQuote,
}

impl<R: Read> Table<R> {
    /// Begins to read, past a byte order mark if there is one.
    pub(crate) fn open(mut reader: R) -> io::Result<Self> {
        let mut start = Vec::new();
        reader.by_ref().take(BOM_UTF8.len() as u64).read_to_end(&mut start)?;
        if start == BOM_UTF8 {
            start.clear();
        }
        Ok(Self { reader: BufReader::new(Cursor::new(start).chain(reader)), line: 1, after_cr: false })
    }

    /// The physical line that the next byte stands on, from 1.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// The next row; `None` at the end of the file.
    pub(crate) fn next(&mut self) -> io::Result<Option<Record>> {
        let mut byte = self.byte()?;
        while byte == Some(b'\n') {
            byte = self.byte()?;
        }
        if byte.is_none() {
            return Ok(None);
        }
        let mut record = Record { line: self.line, cells: vec![Vec::new()], fault: None, bytes: 0 };
        let mut place = Place::CellStart;
        loop {
            place = match (place, byte) {
                (Place::Quoted, None) => {
                    record.fail("the file ends inside a quoted cell".into());
                    break;
                }
                (Place::Quoted, Some(b'"')) => Place::AfterQuote,
                (Place::Quoted, Some(byte)) => record.push(byte, Place::Quoted),
                (_, None | Some(b'\n')) => break,
                (_, Some(b',')) => record.next_cell(),
                (Place::CellStart, Some(b'"')) => Place::Quoted,
                (Place::AfterQuote, Some(b'"')) => record.push(b'"', Place::Quoted),
                (Place::AfterQuote, Some(_)) => {
                    record.fail("text behind a closing quote (a quote inside a quoted cell is written twice)".into());
                    Place::Bare
                }
                (Place::Bare, Some(b'"')) => {
                    record.fail("a quote inside a cell that is not quoted".into());
                    Place::Bare
                }
                (Place::CellStart | Place::Bare, Some(byte)) => record.push(byte, Place::Bare),
            };
            byte = self.byte()?;
        }
        record.span(if byte.is_none() { self.line } else { self.line - 1 });
        Ok(Some(record))
    }

    /// The next byte; each line end comes as one LF.
    fn byte(&mut self) -> io::Result<Option<u8>> {
        loop {
            let buffer = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            let Some(&byte) = buffer.first() else { return Ok(None) };
            self.reader.consume(1);
            let second_half = byte == b'\n' && self.after_cr;
            self.after_cr = byte == b'\r';
            if second_half {
                continue;
            }
            if matches!(byte, b'\r' | b'\n') {
                self.line += 1;
                return Ok(Some(b'\n'));
            }
            return Ok(Some(byte));
        }
    }
}

impl Record {
    /// Keeps a byte, unless the row is broken or breaks here.
    fn push(&mut self, byte: u8, next: Place) -> Place {
        self.bytes += 1;
        let cell = self.cells.last_mut().expect("a record begins with a cell and only gains more");
        if self.fault.is_some() {
            return next;
        }
        if cell.len() == CELL_BYTES_MAX {
            self.fail(format!("the cell has more than {CELL_BYTES_MAX} bytes"));
        } else if self.bytes > ROW_BYTES_MAX {
            self.fail(format!("the row has more than {ROW_BYTES_MAX} bytes"));
        } else {
            cell.push(byte);
        }
        next
    }

    fn next_cell(&mut self) -> Place {
        if self.fault.is_none() {
            if self.cells.len() == COLUMNS_MAX {
                self.fail(format!("more than {COLUMNS_MAX} cells"));
            } else {
                self.cells.push(Vec::new());
            }
        }
        Place::CellStart
    }

    /// The first fault is the one to report; what comes behind it may follow from it.
    fn fail(&mut self, what: String) {
        if self.fault.is_none() {
            self.fault = Some((self.cells.len() - 1, what));
            self.cells.truncate(1);
        }
    }

    /// A broken row that swallowed lines says which: with a quote gone astray they may have been rows.
    fn span(&mut self, last: u64) {
        if let Some((_, what)) = self.fault.as_mut().filter(|_| last > self.line) {
            what.push_str(&format!("; lines {} to {last} were read as one row", self.line));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Each row as `line: cell|cell`, or `line: ! cell number: fault`.
    fn read(text: &[u8]) -> Vec<String> {
        let mut table = Table::open(text).unwrap();
        std::iter::from_fn(|| table.next().unwrap())
            .map(|record| match record.fault {
                None => {
                    let cells: Vec<_> = record.cells.iter().map(|cell| String::from_utf8_lossy(cell)).collect();
                    format!("{}: {}", record.line, cells.join("|"))
                }
                Some((cell, what)) => format!("{}: ! {cell}: {what}", record.line),
            })
            .collect()
    }

    fn check(text: &str, expect: &[&str]) {
        assert_eq!(read(text.as_bytes()), expect, "{text:?}");
    }

    #[test]
    fn rows_are_what_stands_there() {
        check("", &[]);
        check("\n\r\n", &[]);
        check("a,b\nc,d", &["1: a|b", "2: c|d"]);
        check("a,b\r\n\r\nc,\r\n", &["1: a|b", "3: c|"]);
        check("a\rb\r\rc", &["1: a", "2: b", "4: c"]);
        check("\u{feff}a,b\n", &["1: a|b"]);
        check("\"a\"\"b\",\"\"\n\"c,d\"\n", &["1: a\"b|", "2: c,d"]);
        check("\"a\r\nb\",c\nd,e", &["1: a\nb|c", "3: d|e"]);
    }

    #[test]
    fn a_stray_quote_breaks_its_row_only() {
        check("a\"b,c\nd", &["1: ! 0: a quote inside a cell that is not quoted", "2: d"]);
        let what = "text behind a closing quote (a quote inside a quoted cell is written twice)";
        check("x,\"a\"b\nd", &[&format!("1: ! 1: {what}"), "2: d"]);
        check(
            "a\nx,\"b\nc\nd",
            &["1: a", "2: ! 1: the file ends inside a quoted cell; lines 2 to 4 were read as one row"],
        );
        check("x,\"a\n\"b\n\nd", &[&format!("1: ! 1: {what}; lines 1 to 2 were read as one row"), "4: d"]);
    }

    #[test]
    fn each_limit_holds_on_both_sides() {
        let cell = "x".repeat(CELL_BYTES_MAX);
        assert_eq!(read(format!("{cell}\nb").as_bytes()).len(), 2);
        assert!(!read(cell.as_bytes())[0].contains('!'));
        check(&format!("a,{cell}y{cell}{cell},b\nc"), &["1: ! 1: the cell has more than 32768 bytes", "2: c"]);

        let row = vec![cell; ROW_BYTES_MAX / CELL_BYTES_MAX].join(",");
        assert!(!read(row.as_bytes())[0].contains('!'));
        check(&format!("{row},y\nc"), &["1: ! 8: the row has more than 262144 bytes", "2: c"]);

        let row = vec!["x"; COLUMNS_MAX].join(",");
        assert!(!read(row.as_bytes())[0].contains('!'));
        check(&format!("{row},x,x\nc"), &["1: ! 63: more than 64 cells", "2: c"]);
    }

    #[test]
    fn a_huge_line_is_not_kept() {
        let mut table = Table::open(io::repeat(b'x').take(50_000_000)).unwrap();
        let record = table.next().unwrap().unwrap();
        assert!(record.fault.is_some());
        assert!(record.cells.iter().map(Vec::capacity).sum::<usize>() <= 2 * CELL_BYTES_MAX);
    }

    /// The judge: what the `csv` crate reads from the same bytes.
    fn judged(text: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
        reader.byte_records().map(|record| record.unwrap().iter().map(lf_only).collect()).collect()
    }

    fn lf_only(cell: &[u8]) -> Vec<u8> {
        String::from_utf8(cell.to_vec()).unwrap().replace("\r\n", "\n").replace('\r', "\n").into_bytes()
    }

    fn rows() -> impl Strategy<Value = Vec<Vec<String>>> {
        prop::collection::vec(prop::collection::vec("[a-c,\" é\n]{0,6}", 2..5), 1..6)
    }

    proptest! {
        #[test]
        fn where_we_find_no_fault_the_csv_crate_reads_the_same(text in "[a,\"\r\n]{0,40}") {
            let mut table = Table::open(text.as_bytes()).unwrap();
            let records: Vec<Record> = std::iter::from_fn(|| table.next().unwrap()).collect();
            if records.iter().all(|record| record.fault.is_none()) {
                prop_assert_eq!(records.into_iter().map(|r| r.cells).collect::<Vec<_>>(), judged(text.as_bytes()));
            }
        }

        #[test]
        fn what_the_csv_crate_writes_we_read(rows in rows(), crlf: bool) {
            let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
            let mut writer = csv::WriterBuilder::new().flexible(true).terminator(terminator).from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).unwrap();
            }
            let text = writer.into_inner().unwrap();
            let mut table = Table::open(&text[..]).unwrap();
            let read: Vec<Record> = std::iter::from_fn(|| table.next().unwrap()).collect();
            prop_assert!(read.iter().all(|record| record.fault.is_none()), "{:?}", read);
            let rows: Vec<Vec<Vec<u8>>> =
                rows.into_iter().map(|row| row.into_iter().map(String::into_bytes).collect()).collect();
            prop_assert_eq!(read.into_iter().map(|record| record.cells).collect::<Vec<_>>(), rows);
        }
    }
}
