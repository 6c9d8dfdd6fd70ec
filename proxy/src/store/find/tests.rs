//! What a probe says of an address, against a listener that is a Redis at first and nothing later.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::config::Login;

fn shard(address: RedisAddress) -> RedisShard {
    RedisShard {
        place: RedisPlace::Server(address),
        login: Login::default(),
        db: 0,
        tls: None,
        client_name: String::new(),
        connect_timeout: Duration::from_secs(1),
        io_timeout: Duration::from_secs(1),
    }
}

/// Answers what a client says at its beginning, until it has nothing more to say for a while.
async fn be_redis(stream: &mut TcpStream) {
    let mut buffer = [0; 4096];
    let quiet = Duration::from_millis(300);
    while let Ok(Ok(length)) = tokio::time::timeout(quiet, stream.read(&mut buffer)).await {
        let said = String::from_utf8_lossy(&buffer[..length]).to_uppercase();
        let answer: &[u8] = if said.contains("HELLO") {
            b"%1\r\n+mode\r\n+standalone\r\n"
        } else if said.contains("ID") {
            b":1\r\n"
        } else {
            b"+OK\r\n"
        };
        stream.write_all(answer).await.unwrap();
    }
}

/// Lets connections come and resets them: bytes that nobody reads make the system do that.
async fn reset_all(listener: &TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _read = stream.read_u8().await;
    }
}

async fn says(probe: &Probe, text: &str) -> String {
    let said = async {
        loop {
            let why = probe.away().to_string();
            if why.contains(text) {
                return why;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let why = tokio::time::timeout(Duration::from_secs(20), said).await;
    why.unwrap_or_else(|_| panic!("not {text:?}: {}", probe.away()))
}

#[tokio::test]
async fn a_reset_is_no_guess_at_tls_where_the_address_has_worked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let address = RedisAddress::Tcp { host: "127.0.0.1".to_owned(), port };
    let probe = Probe::new(&address, &shard(address.clone()), false).unwrap();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        be_redis(&mut stream).await;
        drop(stream);
        reset_all(&listener).await;
    };
    let check = async {
        assert!(probe.connected(Duration::from_secs(10)).await);
        let why = says(&probe, "reset").await;
        assert!(!why.contains("tls"), "{why}");
        // One that has never worked may be configured wrongly.
        let new = Probe::new(&address, &shard(address.clone()), false).unwrap();
        let why = says(&new, "reset").await;
        assert!(why.contains("tls"), "{why}");
    };
    tokio::select! {
        () = server => {}
        () = check => {}
    }
}
