import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.calcite.avatica.AvaticaSqlException;

/**
 * Connections of the Avatica driver that ask until standard input ends: URL CONNECTIONS [USER PASSWORD]. Says `open` when all are, and
 * at the end one line for each kind of error, `error COUNT MESSAGE`, and `done ROUNDS BROKEN HIT AGAIN`: how many rounds
 * went well, how many connections did not get through one at the end, how many had an error, and how many had more.
 */
public class JdbcClient {
  private static final String DIGITS = "(VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9))";
  /** More rows than the driver fetches at once. */
  private static final String MANY =
      "SELECT a.n * 100 + b.n * 10 + c.n AS n FROM " + DIGITS + " a(n) CROSS JOIN " + DIGITS + " b(n) CROSS JOIN "
          + DIGITS + " c(n)";
  private static final String PREPARED = "SELECT a.n FROM " + DIGITS + " a(n) WHERE a.n = CAST(? AS BIGINT)";

  private static final Map<String, AtomicLong> errors = new ConcurrentHashMap<>();
  private static final AtomicLong rounds = new AtomicLong();
  private static final AtomicLong broken = new AtomicLong();
  /** Connections that had one error, and those that had more. */
  private static final AtomicLong hit = new AtomicLong();
  private static final AtomicLong again = new AtomicLong();
  private static volatile boolean ending = false;

  public static void main(String[] arguments) throws Exception {
    int count = Integer.parseInt(arguments[1]);
    Properties properties = new Properties();
    properties.setProperty("transparent_reconnection", "true");
    if (arguments.length > 2) {
      properties.setProperty("user", arguments[2]);
      properties.setProperty("password", arguments[3]);
    }
    CountDownLatch open = new CountDownLatch(count);
    Thread[] threads = new Thread[count];
    for (int i = 0; i < count; i++) {
      int number = i;
      threads[i] = new Thread(() -> use(arguments[0], properties, number, open));
      threads[i].start();
    }
    open.await();
    System.out.println("open");
    while (System.in.read() != -1) {
      // Anything but the end is of no interest.
    }
    ending = true;
    for (Thread thread : threads) thread.join();
    errors.forEach((message, times) -> System.out.println("error " + times + " " + message));
    System.out.println("done " + rounds + " " + broken + " " + hit + " " + again);
  }

  private static void use(String url, Properties properties, int number, CountDownLatch open) {
    try (Connection connection = DriverManager.getConnection(url, properties)) {
      boolean first = true;
      int failed = 0;
      boolean last;
      do {
        last = ending;
        try {
          ask(connection, number);
          rounds.incrementAndGet();
        } catch (SQLException | RuntimeException error) {
          note(error);
          failed++;
          if (failed == 1) hit.incrementAndGet();
          if (failed == 2) again.incrementAndGet();
          if (last) broken.incrementAndGet();
        }
        if (first) open.countDown();
        first = false;
        Thread.sleep(last ? 0 : 500 + number % 50 * 10);
      } while (!last);
    } catch (SQLException | InterruptedException | RuntimeException error) {
      note(error);
      broken.incrementAndGet();
      open.countDown();
    }
  }

  /** A prepared statement with a parameter, and every tenth time many rows. */
  private static void ask(Connection connection, int number) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(PREPARED)) {
      statement.setLong(1, number % 10);
      try (ResultSet result = statement.executeQuery()) {
        expect(result.next() && result.getLong(1) == number % 10 && !result.next(), "a wrong answer");
      }
    }
    if (number % 10 != 0) return;
    try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(MANY)) {
      long sum = 0;
      int rows = 0;
      while (result.next()) {
        sum += result.getLong(1);
        rows++;
      }
      expect(rows == 1000 && sum == 499500, "a wrong answer of many rows");
    }
  }

  private static void expect(boolean holds, String otherwise) {
    if (!holds) throw new IllegalStateException(otherwise);
  }

  /** What went wrong, and what the server says of it. */
  private static void note(Exception error) {
    StringBuilder message = new StringBuilder(shorten(String.valueOf(error.getMessage())));
    if (error instanceof AvaticaSqlException told) {
      for (String trace : told.getStackTraces()) message.append(" | ").append(shorten(trace));
    }
    String kind = message.toString();
    errors.computeIfAbsent(kind, key -> new AtomicLong()).incrementAndGet();
  }

  private static String shorten(String text) {
    String line = text.replaceAll("\\s+", " ");
    return line.length() > 160 ? line.substring(0, 160) : line;
  }
}
