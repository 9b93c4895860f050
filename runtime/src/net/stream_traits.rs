//! The traits of `TcpStream`: those that std's has.

#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};

use super::socket_macros::{descriptor_traits, stream_traits, timed_conversions, total};
use super::{TcpStream, sys};
use crate::base::fault::{self, Door};
use crate::io::{Direction, Io, LIMIT};

stream_traits!(TcpStream);
timed_conversions!(TcpStream, std::net::TcpStream);
descriptor_traits!(TcpStream, std::net::TcpStream);
