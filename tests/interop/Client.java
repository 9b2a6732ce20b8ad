// One line in, one line out: sends requests with java.net.http.HttpClient as it is, which offers h2c with every request over http.
//
// In, separated by tabs: method, URL, kind of body (bytes, stream, none), file of the body, and any number of "Name: value".
// Out: status, and the file into which the answer was written; or 0 and the class of what went wrong.

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

public class Client {
    public static void main(String[] arguments) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            System.out.println(asked(client, line.split("\t")));
            System.out.flush();
        }
    }

    private static String asked(HttpClient client, String[] words) {
        try {
            HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(words[1])).timeout(Duration.ofSeconds(30));
            request.method(words[0], body(words[2], words[3]));
            for (int i = 4; i < words.length; i++) {
                String[] header = words[i].split(": ", 2);
                request.header(header[0], header[1]);
            }
            HttpResponse<byte[]> answer = client.send(request.build(), BodyHandlers.ofByteArray());
            Path file = Files.createTempFile(Path.of(words[3]).getParent(), "answer", "");
            Files.write(file, answer.body());
            return answer.statusCode() + "\t" + file;
        } catch (Exception error) {
            return "0\t" + error.getClass().getName();
        }
    }

    private static BodyPublisher body(String kind, String file) throws Exception {
        byte[] content = Files.readAllBytes(Path.of(file));
        return switch (kind) {
            case "bytes" -> BodyPublishers.ofByteArray(content);
            case "stream" -> BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(content));
            default -> BodyPublishers.noBody();
        };
    }
}
