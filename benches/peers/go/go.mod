module sward-bench-peer

go 1.24
