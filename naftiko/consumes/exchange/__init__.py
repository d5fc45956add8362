"""HTTP/1.1 exchanges over pooled connections of asyncio's, which end with who awaits them (ADR 8).

Exchanges.send, .stream      one request and its answer
  request.py                 URL and headers -> the head that goes out
  pool.py, connecting.py     an idle connection, or a new one
  connection.py              bytes out; bytes in through llhttp (httptools), checked and bounded
  content_coding.py          gzip and deflate -> the body
  streamed.py                an answer that is passed on while it comes in
"""
