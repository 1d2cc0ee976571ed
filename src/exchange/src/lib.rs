//! Foreign formats into blotter's vocabulary. A mapping is pure: it reads the bytes that it is handed, once and in
//! order, and gives statements to be signed; it opens no file, asks no clock and draws no random numbers.
//!
//! What it promises: the same row gives the same ids for ever; nothing that a row says is lost without a word; a row
//! that can't be read is reported by line and column, and the rest goes on. It never invents a fact to fill a schema.

pub mod alerts;
pub mod cacao;
mod error;
mod foreign;
mod imported;
pub mod servicenow;
mod summary;
mod table;
pub mod tickets;
mod zone;

pub use error::{FileError, RowError};
pub use foreign::paths::{DESCENDANTS_MAX, MAPPING_BYTES_MAX, PATH_LEN_MAX};
pub use foreign::{
    DEPTH_MAX, DESCRIPTION_BYTES_MAX, DOCUMENT_BYTES_MAX, ForeignError, ID_BYTES_MAX, MappingError, PARTS_MAX,
    RAW_BYTES_MAX, VALUE_BYTES_MAX,
};
pub use imported::Imported;
pub use summary::{REJECTED_SHOWN_MAX, Summary};
pub use table::{CELL_BYTES_MAX, COLUMNS_MAX, ROW_BYTES_MAX};
pub use zone::{UnknownZone, Zone};
