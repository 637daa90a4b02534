package faults

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// http2Ways are the ways in which an HTTP/2 receiver misbehaves. None of them answers 2xx.
func http2Ways(c *certificates) []misbehaviour {
	var ways []misbehaviour
	for _, answer := range []func(*http2.Framer, uint32) error{
		func(f *http2.Framer, _ uint32) error { return f.WriteGoAway(0, http2.ErrCodeNo, nil) },
		func(f *http2.Framer, stream uint32) error { return f.WriteGoAway(stream, http2.ErrCodeInternal, nil) },
		resetStream(http2.ErrCodeRefusedStream),
		resetStream(http2.ErrCodeInternal),
		resetStream(http2.ErrCodeEnhanceYourCalm),
		overAndOver(func(f *http2.Framer, _ uint32) error { return f.WritePing(false, [8]byte{}) }),
		overAndOver(func(f *http2.Framer, _ uint32) error { return f.WriteSettings() }),
		overAndOver(resetStream(http2.ErrCodeNo)),
		continueWithoutEnd,
		func(f *http2.Framer, stream uint32) error {
			return f.WriteData(stream, true, []byte("no header before"))
		},
		func(f *http2.Framer, stream uint32) error {
			return f.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, stream, []byte{0xff, 0xff, 0xff})
		},
		func(f *http2.Framer, stream uint32) error { return f.WriteWindowUpdate(stream, 1<<31-1) },
		func(*http2.Framer, uint32) error { return nil },
	} {
		ways = append(ways, overHTTP2(c, answer))
	}
	return ways
}

func resetStream(code http2.ErrCode) func(*http2.Framer, uint32) error {
	return func(f *http2.Framer, stream uint32) error { return f.WriteRSTStream(stream, code) }
}

// overAndOver sends the same repeatedly, without end.
func overAndOver(frame func(*http2.Framer, uint32) error) func(*http2.Framer, uint32) error {
	return func(f *http2.Framer, stream uint32) error {
		for {
			for range 100 {
				if err := frame(f, stream); err != nil {
					return err
				}
			}
			time.Sleep(floodPause)
		}
	}
}

// continueWithoutEnd sends a header that never ends.
func continueWithoutEnd(f *http2.Framer, stream uint32) error {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	err := encoder.WriteField(hpack.HeaderField{Name: ":status", Value: "503"})
	for begun := false; err == nil; begun = true {
		if begun {
			err = f.WriteContinuation(stream, false, block.Bytes())
		} else {
			err = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes()})
		}
		block.Reset()
		if err == nil {
			err = encoder.WriteField(hpack.HeaderField{Name: "x-endless", Value: string(bytes.Repeat([]byte{'a'}, 4000))})
		}
		time.Sleep(floodPause)
	}
	return err
}

// overHTTP2 answers the first request of a connection in that way, and then nothing until the other
// side has left. If the other side does not offer HTTP/2, it closes the connection at once.
func overHTTP2(c *certificates, answer func(*http2.Framer, uint32) error) misbehaviour {
	config := &tls.Config{Certificates: []tls.Certificate{c.good}, NextProtos: []string{http2.NextProtoTLS}}
	return func(conn net.Conn) {
		server := tls.Server(conn, config)
		if server.Handshake() != nil || server.ConnectionState().NegotiatedProtocol != http2.NextProtoTLS {
			return
		}
		f := http2.NewFramer(server, server)
		if _, err := io.CopyN(io.Discard, server, int64(len(http2.ClientPreface))); err != nil || f.WriteSettings() != nil {
			return
		}
		if stream, err := firstRequest(f); err == nil && answer(f, stream) == nil {
			untilLeft(server)
		}
	}
}

// firstRequest reads until a request is complete.
func firstRequest(f *http2.Framer) (uint32, error) {
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return 0, err
		}
		if settings, ok := frame.(*http2.SettingsFrame); ok && !settings.IsAck() {
			if err := f.WriteSettingsAck(); err != nil {
				return 0, err
			}
		}
		kind := frame.Header().Type
		if (kind == http2.FrameHeaders || kind == http2.FrameData) && frame.Header().Flags.Has(http2.FlagDataEndStream) {
			return frame.Header().StreamID, nil
		}
	}
}
